#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "source_text.hpp"

namespace muster::layering {

/// What each folder of framework/muster may include of the others, beside itself.
using LayerTable = std::map<std::string, std::set<std::string>>;

/// Stands for every layer.
inline constexpr const char* any_layer = "*";

struct Include {
  std::string path;     ///< "muster/base/error.hpp", "vector", "../x.hpp"
  bool quoted = false;  ///< "..." instead of <...>
  std::size_t line = 0;
};

std::vector<Include> includes_of(const SourceText& source);

/// Sources are named "framework/muster/<layer>/<file>". Finds includes of layers that the table
/// does not allow, headers that do not exist, quoted includes and layers that are not in the table.
/// Of the headers beside the layers, those named plugin*.hpp may include the sdk alone, others
/// anything.
std::vector<Finding> check_layers(const std::vector<SourceText>& sources, const LayerTable& table);

/// Headers whose names start with `prefix` may be included by these layers alone; by none if there
/// are none.
struct LibraryRule {
  std::string prefix;
  std::set<std::string> layers;
};

/// Of the rules that fit an include, the first one counts.
std::vector<Finding> check_libraries(const std::vector<SourceText>& sources,
                                     const std::vector<LibraryRule>& rules);

/// Follows includes from the headers of `layers`. Finds headers whose names start with one of
/// `banned`, and headers of Muster that have a .cpp: what uses them cannot do with headers alone.
/// Those in `partly_inline` may have one.
std::vector<Finding> check_headers_alone(const std::vector<SourceText>& sources,
                                         const std::set<std::string>& layers,
                                         const std::vector<std::string>& banned,
                                         const std::set<std::string>& partly_inline = {});

}  // namespace muster::layering
