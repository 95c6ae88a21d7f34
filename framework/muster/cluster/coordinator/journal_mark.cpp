#include <cerrno>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <muster/base/bytes.hpp>
#include <muster/base/checksum.hpp>
#include <muster/base/error.hpp>
#include <muster/cluster/coordinator/journal_mark.hpp>

namespace muster::cluster {
namespace {

constexpr unsigned mode_of_mark = 0600;
constexpr std::size_t number_bytes = sizeof(std::uint64_t);
constexpr std::size_t mark_bytes = 2 * number_bytes;  // the number, and its checksum

}  // namespace

JournalMark::JournalMark(const std::filesystem::path& file)
    : file_(file), fd_(open_file(file, O_RDWR | O_CREAT, mode_of_mark)) {}

std::uint64_t JournalMark::read() const {
  std::string bytes(mark_bytes, '\0');
  bytes.resize(read_at(fd_.get(), bytes.data(), bytes.size(), 0, file_));
  if (bytes.find_first_not_of('\0') == std::string::npos) return 0;
  if (bytes.size() == mark_bytes) {
    ByteReader in(bytes);
    const auto number = in.fixed<std::uint64_t>();
    if (in.fixed<std::uint64_t>() == checksum(std::string_view(bytes).substr(0, number_bytes)))
      return number;
  }
  throw Error(ErrorCode::corrupt,
              fmt::format("the journal's mark '{}' is not as it was written", file_.string()),
              "move it away: then nobody notices if the journal misses what was written last");
}

void JournalMark::write(std::uint64_t number) {
  std::string bytes;
  ByteWriter out(bytes);
  out.fixed(number);
  out.fixed(checksum(bytes));
  errno = ENOSPC;  // what a short write is due to
  if (::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw system_error(errno, "cannot write '" + file_.string() + "'");
}

}  // namespace muster::cluster
