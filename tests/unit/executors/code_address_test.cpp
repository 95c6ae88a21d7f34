#include <cstdint>
#include <cstring>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include <muster/base/error.hpp>
#include <muster/executors/code_address.hpp>
#include <muster/executors/function_codec.hpp>

namespace muster::detail {
namespace {

int twice(int x) { return 2 * x; }

struct Shape {
  virtual ~Shape() = default;
  virtual int sides() const { return 0; }
  int plain() const { return 7; }
};
struct Square : Shape {
  int sides() const override { return 4; }
};

template <class F>
F there_and_back(F function) {
  Bytes bytes;
  FunctionCodec<F>::encode(bytes, function);
  ByteReader in(bytes, "a function");
  F out = FunctionCodec<F>::decode(in);
  in.finish();
  return out;
}

const void* address_of(int (*function)(int)) { return reinterpret_cast<const void*>(function); }

TEST(CodeAddress, OfTheProgramItselfIsFoundAgain) {
  const CodeAddress address = code_address(address_of(&twice));
  EXPECT_NE(address.module, 0U);
  EXPECT_EQ(find_code(address), address_of(&twice));
}

TEST(CodeAddress, LibrariesHaveModulesOfTheirOwn) {
  const auto* const in_library = reinterpret_cast<const void*>(&::getppid);
  const CodeAddress address = code_address(in_library);
  EXPECT_NE(address.module, code_address(address_of(&twice)).module);
  EXPECT_EQ(find_code(address), in_library);
}

TEST(CodeAddress, WhatIsNoCodeHasNone) {
  const int on_the_stack = 0;
  EXPECT_EQ(code_address(&on_the_stack).module, 0U);
  EXPECT_EQ(code_address(nullptr).module, 0U);
  EXPECT_THROW(require_code(&on_the_stack), Error);
  EXPECT_NO_THROW(require_code(address_of(&twice)));
}

TEST(CodeAddress, OfAnotherModuleOrBeyondItsCodeIsRefused) {
  CodeAddress address = code_address(address_of(&twice));
  EXPECT_THROW(find_code({address.module + 1, address.offset}), Error);
  EXPECT_THROW(find_code({address.module, address.offset + (std::uint64_t{1} << 40U)}), Error);
  EXPECT_THROW(find_code({0, address.offset}), Error);
}

TEST(FunctionCodec, PointersTravelAsWhereTheyLieInTheirModule) {
  EXPECT_EQ(there_and_back(&twice)(4), 8);
  Bytes bytes;
  FunctionCodec<int (*)(int)>::encode(bytes, &twice);
  const auto raw = reinterpret_cast<std::uintptr_t>(&twice);
  EXPECT_EQ(bytes.find(std::string(reinterpret_cast<const char*>(&raw), sizeof(raw))),
            std::string::npos);
}

TEST(FunctionCodec, MemberFunctionsTravelVirtualOnesToo) {
  const Square square;
  EXPECT_EQ((square.*there_and_back(&Shape::plain))(), 7);
  EXPECT_EQ((square.*there_and_back(&Shape::sides))(), 4);
}

TEST(FunctionCodec, ClosuresTravelAsTheirCaptures) {
  int step = 3;
  const auto add = [step](int x) { return x + step; };
  EXPECT_EQ(there_and_back(add)(4), 7);
  Bytes bytes;
  const auto plain = [](int x) { return x; };
  FunctionCodec<std::decay_t<decltype(plain)>>::encode(bytes, plain);
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
}  // namespace muster::detail
