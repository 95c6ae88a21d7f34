#include <algorithm>
#include <utility>

#include <muster/executors/processes/output_buffer.hpp>

namespace muster::detail {

void OutputBuffer::add(std::string_view bytes, std::vector<std::string>& lines) {
  remember(bytes);
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::size_t room = line_bytes_max - line_.size();
    const std::size_t size = std::min({newline, bytes.size(), room});
    line_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    const bool at_newline = !bytes.empty() && bytes.front() == '\n';
    if (at_newline) bytes.remove_prefix(1);
    if (at_newline || line_.size() == line_bytes_max) {
      lines.push_back(std::move(line_));
      line_.clear();
    }
  }
}

void OutputBuffer::finish(std::vector<std::string>& lines) {
  if (!line_.empty()) lines.push_back(std::move(line_));
  line_.clear();
}

std::string OutputBuffer::tail() const {
  std::string_view tail = recent_;
  if (tail.size() > tail_bytes_max) {
    tail.remove_prefix(tail.size() - tail_bytes_max);
    const std::size_t newline = tail.find('\n');
    if (newline != std::string_view::npos && newline + 1 < tail.size()) {
      tail.remove_prefix(newline + 1);
    }
  }
  if (!tail.empty() && tail.back() == '\n') tail.remove_suffix(1);
  return std::string(tail);
}

void OutputBuffer::remember(std::string_view bytes) {
  // Twice the tail is kept, so that the front is cut off rarely.
  constexpr std::size_t kept_max = 2 * tail_bytes_max;
  if (bytes.size() > kept_max) bytes.remove_prefix(bytes.size() - kept_max);
  if (recent_.size() + bytes.size() > kept_max) {
    recent_.erase(0, std::min(recent_.size(), recent_.size() + bytes.size() - tail_bytes_max));
  }
  recent_.append(bytes);
}

}  // namespace muster::detail
