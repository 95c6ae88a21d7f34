#include <string>

#include <fcntl.h>

#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/base/file.hpp>
#include <muster/jobs/result_stream.hpp>

namespace muster::jobs {
namespace {

void copy_part(const std::filesystem::path& path, const mapreduce::PartTotals& expected,
               const std::function<void(std::string_view)>& write) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  std::string block(std::size_t{256} << 10U, '\0');
  std::uint64_t offset = 0;
  Checksum checksum;
  for (;;) {
    const std::size_t got = read_at(fd.get(), block.data(), block.size(), offset, path);
    if (got == 0) break;
    const std::string_view text = std::string_view(block).substr(0, got);
    checksum.add(text);
    write(text);
    offset += got;
  }
  if (offset == expected.bytes && checksum.value() == expected.checksum) return;
  throw Error(ErrorCode::corrupt, "temporary file '" + path.string() + "' is damaged");
}

}  // namespace

void stream_result(const Plan& plan, const JobData& data,
                   const std::function<void(std::string_view)>& write) {
  if (!plan.map_only()) {
    mapreduce::merge_parts(data.part_files, write);
    return;
  }
  for (std::size_t i = 0; i < data.parts.size(); ++i)
    copy_part(data.part_files[i], data.parts[i], write);
}

}  // namespace muster::jobs
