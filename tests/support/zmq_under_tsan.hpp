#pragma once

// To be included by the one file of a program that has its main, or is its only one.
//
// What ZeroMQ and the encryption below it do in threads of their own is built without
// ThreadSanitizer, which so does not see their locks. What they do with our memory is left out, so
// that nothing has to be looked up in a report: that takes a process, which would count as left
// behind.
extern "C" const char* __tsan_default_suppressions();   // NOLINT: the name is ThreadSanitizer's
extern "C" const char* __tsan_default_suppressions() {  // NOLINT
  return "called_from_lib:libzmq.so\n"
         "called_from_lib:libsodium.so\n"
         "race:libzmq.so\n";
}
