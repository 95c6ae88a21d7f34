# xxHash: Debian ships a pkg-config file and no CMake package.
find_path(XxHash_INCLUDE_DIR xxhash.h)
find_library(XxHash_LIBRARY xxhash)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XxHash REQUIRED_VARS XxHash_LIBRARY XxHash_INCLUDE_DIR)
if(XxHash_FOUND AND NOT TARGET XxHash::XxHash)
  add_library(XxHash::XxHash UNKNOWN IMPORTED)
  set_target_properties(XxHash::XxHash PROPERTIES IMPORTED_LOCATION ${XxHash_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${XxHash_INCLUDE_DIR})
  # Debian's has a variant for AVX2 and AVX-512 that is chosen when it runs.
  include(CheckCXXSymbolExists)
  set(CMAKE_REQUIRED_LIBRARIES XxHash::XxHash)
  check_cxx_symbol_exists(XXH3_64bits_dispatch xxh_x86dispatch.h XxHash_HAS_DISPATCH)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(XxHash_HAS_DISPATCH)
    target_compile_definitions(XxHash::XxHash INTERFACE MUSTER_XXHASH_DISPATCH)
  endif()
endif()
