# muster_add_plugin(NAME SOURCES file... [TESTS file...] [LIBRARIES target...])
#
# Builds the plugin NAME.so from its sources into <build>/plugins, installs it to
# <prefix>/lib/muster/plugins, where programs of that prefix look for it, and, with BUILD_TESTING,
# builds TESTS into a test NAME_test (needs GoogleTest). Part of the installed package: it works
# alike in Muster's own tree and in yours.
function(muster_add_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;TESTS;LIBRARIES" ${ARGN})
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "muster_add_plugin(${name}): no SOURCES given")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "muster_add_plugin(${name}): what is '${arg_UNPARSED_ARGUMENTS}'?")
  endif()
  # Code of a plugin runs in the inner loop: without a build type it would not be optimised at all.
  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
    set(CMAKE_BUILD_TYPE Release PARENT_SCOPE)
  endif()

  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE muster::sdk ${arg_LIBRARIES})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so" CXX_VISIBILITY_PRESET hidden
                        VISIBILITY_INLINES_HIDDEN ON CXX_EXTENSIONS OFF
                        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/plugins)
  if(TARGET muster_settings)
    target_link_libraries(${name} PRIVATE muster_settings)
  endif()
  # A symbol that nobody defines is an error here, not when the plugin is loaded. (Sanitizers'
  # symbols are defined by the program.)
  if(NOT MUSTER_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE LINKER:-z,defs)
  endif()
  install(TARGETS ${name} LIBRARY DESTINATION lib/muster/plugins COMPONENT runtime)

  if(arg_TESTS AND (BUILD_TESTING OR MUSTER_BUILD_TESTS))
    find_package(GTest REQUIRED)
    add_executable(${name}_test ${arg_TESTS})
    target_link_libraries(${name}_test PRIVATE muster::sdk GTest::gtest_main ${arg_LIBRARIES})
    set_target_properties(${name}_test PROPERTIES CXX_EXTENSIONS OFF
                          RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    if(TARGET muster_settings)
      target_link_libraries(${name}_test PRIVATE muster_settings)
    endif()
    add_test(NAME ${name}_test COMMAND ${name}_test)
  endif()
endfunction()
