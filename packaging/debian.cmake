# Debian packages: `cpack -G DEB` in the build directory writes
#   muster      the programs and their plugins; dpkg-shlibdeps finds what they depend on
#   muster-dev  headers, static library, CMake package
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME muster)
set(CPACK_PACKAGE_VENDOR Muster)
if(NOT DEFINED CPACK_PACKAGE_CONTACT)
  set(CPACK_PACKAGE_CONTACT "Muster developers <developers@muster.invalid>")
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME muster)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
    "map-reduce over files in crash-proof local processes, futures on clusters
 The muster program with its plugins for counting words and searching lines, and the coordinator and
 worker of a cluster.")

# Recommended, not needed: a plugin's author gets by with the headers alone.
set(CPACK_DEBIAN_DEV_PACKAGE_NAME muster-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "muster (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS
    "libfmt-dev, libxxhash-dev, libcereal-dev, libgtest-dev, cppzmq-dev, libsodium-dev"
    "libsqlite3-dev, libseccomp-dev"
    "cmake (>= 3.25)")
list(JOIN CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS ", " CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS)
set(CPACK_COMPONENT_DEV_DESCRIPTION
    "what plugins and programs are built with
 Headers, the static library, and the packages for CMake and pkg-config.")
include(CPack)
