# Compiles SOURCE, which must fail, with a message that it names in its first line:
#   // expect: MESSAGE
# control.cpp must compile, or the others' failures would say nothing.
file(STRINGS ${SOURCE} first LIMIT_COUNT 1)
string(REPLACE "// expect: " "" expected "${first}")
separate_arguments(includes NATIVE_COMMAND "${INCLUDES}")
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only ${includes} ${SOURCE}
                RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(SOURCE MATCHES "control.cpp$")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "what is right does not compile:\n${out}")
  endif()
  return()
endif()
if(status EQUAL 0)
  message(FATAL_ERROR "it compiles")
endif()
# Compilers fold long messages nowhere, so that what is expected stands in one line.
string(FIND "${out}" "${expected}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "it fails without \"${expected}\":\n${out}")
endif()
