# Where things land, and how every target of this project is compiled. Nothing here reaches users
# of the package: muster_settings is linked privately, or by muster_compile_with().
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(MUSTER_CCACHE ccache)
if(MUSTER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MUSTER_CCACHE})
  # The first is what ccache's manual asks for, to cache what uses precompiled headers. With the
  # second it looks at sources as they are, comments included, as GCC does with what it has
  # precompiled: '#pragma once' does not know a file again whose comments have changed.
  if(MUSTER_PRECOMPILE_HEADERS)
    list(PREPEND CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros
         CCACHE_DEPEND=1)
  endif()
endif()

add_library(muster_settings INTERFACE)
target_compile_features(muster_settings INTERFACE cxx_std_20)
target_compile_options(muster_settings INTERFACE -Wall -Wextra -Wshadow -Wconversion
                       -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast
                       -fvisibility=hidden)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms on std::string concatenation: GCC bug 105651.
  target_compile_options(muster_settings INTERFACE -Wno-restrict)
endif()
# Programs record only the libraries they use, so that the package asks for no others.
target_link_options(muster_settings INTERFACE LINKER:--as-needed)
if(MUSTER_WARNINGS_AS_ERRORS)
  target_compile_options(muster_settings INTERFACE -Werror)
endif()
if(MUSTER_CHECKED_STDLIB)
  target_compile_definitions(muster_settings INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(MUSTER_SANITIZE)
  target_compile_options(muster_settings INTERFACE -fsanitize=${MUSTER_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(muster_settings INTERFACE -fsanitize=${MUSTER_SANITIZE})
endif()
if(MUSTER_CLANG_TIDY)
  find_program(MUSTER_CLANG_TIDY_PROGRAM NAMES clang-tidy-14 clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${MUSTER_CLANG_TIDY_PROGRAM} --quiet)
endif()
# Where headers are read once for many sources, their private names meet; and GCC takes each of
# these sources for a header, which has none.
set(in_unity $<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>)
target_compile_options(muster_settings INTERFACE
                       $<${in_unity}:-Wno-shadow>
                       $<$<AND:${in_unity},$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)

# muster_precompile(TARGET PRIVATE header... | REUSE_FROM other)
#
# target_precompile_headers(), where MUSTER_PRECOMPILE_HEADERS asks for it. The presets dev and tidy
# do not, and find the #include that is missing.
function(muster_precompile target)
  if(NOT MUSTER_PRECOMPILE_HEADERS)
    return()
  endif()
  target_precompile_headers(${target} ${ARGN})
  # Otherwise Clang's objects differ with the time at which the header was compiled; and GCC forgets
  # that these are system headers, in which its false alarms are not reported.
  target_compile_options(${target} PRIVATE
                         $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>
                         $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-stringop-overflow>)
endfunction()

# muster_compile_with(TARGET library...)
#
# Compiles TARGET as if it linked header-only libraries privately. A static library that did link
# them would name them in its link interface, and so ask for them wherever it is used.
function(muster_compile_with target)
  foreach(library IN LISTS ARGN)
    target_compile_options(${target} PRIVATE
                           $<TARGET_PROPERTY:${library},INTERFACE_COMPILE_OPTIONS>)
    target_compile_definitions(${target} PRIVATE
                               $<TARGET_PROPERTY:${library},INTERFACE_COMPILE_DEFINITIONS>)
    target_include_directories(${target} SYSTEM PRIVATE
                               $<TARGET_PROPERTY:${library},INTERFACE_INCLUDE_DIRECTORIES>)
  endforeach()
endfunction()
