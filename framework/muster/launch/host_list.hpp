#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace muster::launch {

/// A machine, and how many workers it takes.
struct HostShare {
  std::string host;  ///< as ssh takes it: a name, an alias of its configuration, user@name
  unsigned count = 1;

  bool operator==(const HostShare&) const = default;
};

/// Parses "a,b*4,user@c". A host that is named again takes more. Throws Error(usage) that shows the
/// form.
std::vector<HostShare> parse_hosts(std::string_view text);

/// Parses the text of a file: hosts as above, one or more a line; what follows a # is not read.
/// `file` is for messages.
std::vector<HostShare> parse_hostfile(std::string_view text, std::string_view file);

unsigned total_count(const std::vector<HostShare>& hosts);

}  // namespace muster::launch
