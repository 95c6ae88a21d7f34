#include <algorithm>
#include <set>

#include <muster/cluster/code/program_manifest.hpp>
#include <muster/codec/message.hpp>

namespace muster::cluster {
namespace {

constexpr std::size_t libraries_max = 1000;
constexpr std::size_t name_bytes_max = 255;  // of a file, on Linux

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != '/'; });
}

}  // namespace

Bytes encode(const ProgramManifest& manifest) {
  Bytes out;
  detail::encode_message(out, manifest);
  return out;
}

ProgramManifest decode_manifest(std::string_view bytes) {
  ByteReader in(bytes, "a program's manifest");
  auto out = detail::decode_message<ProgramManifest>(in);
  in.finish();
  if (out.libraries.size() > libraries_max) in.fail("it names too many libraries");
  std::set<std::string_view> names;
  for (const auto& each : out.libraries) {
    if (!is_file_name(each.name)) in.fail("a library's name is no name of a file");
    if (!names.insert(each.name).second) in.fail("two libraries have one name");
  }
  if (!is_file_name(out.executable.name)) in.fail("the program's name is no name of a file");
  return out;
}

}  // namespace muster::cluster
