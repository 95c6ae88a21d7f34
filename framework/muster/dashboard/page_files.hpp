#pragma once

#include <map>
#include <string>
#include <string_view>

namespace muster::dashboard {

/// The page in a browser, by file name; made of page/.
const std::map<std::string, std::string_view>& page_files();

}  // namespace muster::dashboard
