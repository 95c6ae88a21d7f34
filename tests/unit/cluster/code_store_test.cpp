#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/base/temp_dir.hpp>
#include <muster/cluster/code/code_store.hpp>
#include <muster/cluster/code/own_program.hpp>
#include <muster/cluster/code/program_manifest.hpp>

namespace muster::cluster {
namespace {

class CodeStoreTest : public testing::Test {
 protected:
  std::filesystem::path path() const { return directory.path() / "code"; }
  wire::CodePiece piece(const std::string& whole, std::uint64_t offset, std::size_t size) const {
    return {sha256(whole), whole.size(), offset, whole.substr(offset, size)};
  }

  TempDir directory{default_temp_parent()};
};

TEST(Sha256Test, is_that_of_the_standard) {
  EXPECT_EQ(to_hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 parts;
  parts.add("a");
  parts.add("bc");
  EXPECT_EQ(parts.finish(), sha256("abc"));
}

TEST_F(CodeStoreTest, takes_pieces_in_order_and_keeps_the_whole) {
  CodeStore store(path());
  const std::string whole = "a program";
  EXPECT_FALSE(store.has(sha256(whole)));
  EXPECT_EQ(store.add(piece(whole, 3, 2)).next_offset, 0U) << "the first is missing";
  EXPECT_EQ(store.add(piece(whole, 0, 4)).next_offset, 4U);
  EXPECT_EQ(store.add(piece(whole, 0, 4)).next_offset, 4U) << "it came before";
  EXPECT_EQ(store.next_offset(sha256(whole)), 4U);
  EXPECT_TRUE(store.add(piece(whole, 4, 5)).is_complete);
  EXPECT_TRUE(store.has(sha256(whole)));
  EXPECT_EQ(store.read(sha256(whole), 2).bytes, "program");
  EXPECT_EQ(store.read(sha256(whole), 2).size, whole.size());
  EXPECT_THROW(static_cast<void>(store.read(sha256(whole), 100)), Error);
  EXPECT_TRUE(CodeStore(path()).has(sha256(whole))) << "for the next life";
}

TEST_F(CodeStoreTest, refuses_what_is_not_what_it_is_called) {
  CodeStore store(path());
  wire::CodePiece wrong = piece("something", 0, 9);
  wrong.digest = sha256("something else");
  EXPECT_THROW(store.add(wrong), Error);
  EXPECT_FALSE(store.has(wrong.digest));
  wire::CodePiece longer = piece("something", 0, 9);
  longer.size = 4;
  EXPECT_THROW(store.add(longer), Error);
  wire::CodePiece endless = piece("something", 0, 9);
  endless.size = CodeStore::file_bytes_max + 1;
  EXPECT_THROW(store.add(endless), Error);
  EXPECT_TRUE(std::filesystem::is_empty(path())) << "nothing is left";
}

TEST_F(CodeStoreTest, does_not_believe_a_damaged_file_nor_miss_a_deleted_one) {
  const std::string whole = "a program";
  {
    CodeStore store(path());
    store.add(piece(whole, 0, 100));
    std::filesystem::remove(store.path_of(sha256(whole)));
    EXPECT_FALSE(store.has(sha256(whole)));
    store.add(piece(whole, 0, 100));
    std::filesystem::permissions(store.path_of(sha256(whole)), std::filesystem::perms::owner_all);
    write_file_synced(store.path_of(sha256(whole)), "another one");
  }
  CodeStore store(path());
  EXPECT_FALSE(store.has(sha256(whole)));
  EXPECT_TRUE(std::filesystem::is_empty(path()));
}

TEST(ProgramManifestTest, is_refused_where_names_lead_elsewhere) {
  const auto decoded = [](const std::string& executable, const std::vector<std::string>& names) {
    ProgramManifest manifest;
    manifest.executable.name = executable;
    for (const std::string& each : names) manifest.libraries.push_back({each, {}});
    return decode_manifest(encode(manifest));
  };
  EXPECT_EQ(decoded("program", {"liba.so", "libb.so"}).libraries.size(), 2U);
  for (const char* name : {"", ".", "..", "../x", "a/b", "a b", "a\n"}) {
    EXPECT_THROW(decoded(name, {}), Error) << name;
    EXPECT_THROW(decoded("program", {name}), Error) << name;
  }
  EXPECT_THROW(decoded("program", {"same.so", "same.so"}), Error);
  EXPECT_THROW(decode_manifest("nonsense"), Error);
}

TEST(OwnProgramTest, gives_what_its_manifest_names) {
  const OwnProgram own;
  const auto manifest_piece = own.read(own.digest(), 0);
  ASSERT_TRUE(manifest_piece);
  const ProgramManifest manifest = decode_manifest(manifest_piece->bytes);
  EXPECT_EQ(manifest.executable.name, "unit_cluster");
  const auto first = own.read(manifest.executable.digest, 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes.substr(1, 3), "ELF");
  EXPECT_EQ(first->bytes.size(), wire::code_piece_bytes);
  EXPECT_FALSE(own.read(sha256("something else"), 0));
}

}  // namespace
}  // namespace muster::cluster
