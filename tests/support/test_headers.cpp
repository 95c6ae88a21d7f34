// Nothing but the headers that tests/CMakeLists.txt has precompiled for it.
