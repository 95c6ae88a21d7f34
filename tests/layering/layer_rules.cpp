#include "layer_rules.hpp"

#include <algorithm>
#include <deque>

namespace muster::layering {
namespace {

constexpr std::string_view root = "framework/";
constexpr std::string_view muster = "muster/";

using ByName = std::map<std::string, const SourceText*>;

ByName by_name(const std::vector<SourceText>& sources) {
  ByName out;
  for (const SourceText& each : sources) out[each.name()] = &each;
  return out;
}

// "muster/base/error.hpp" -> "base", "muster/plugin.hpp" -> ""
std::string layer_of(std::string_view path) {
  const auto from = muster.size();
  const auto slash = path.find('/', from);
  return slash == std::string_view::npos ? "" : std::string(path.substr(from, slash - from));
}

std::set<std::string> allowed_for(std::string_view path, const LayerTable& table) {
  const std::string layer = layer_of(path);
  if (layer.empty()) return {path.starts_with("muster/plugin") ? "sdk" : any_layer};
  std::set<std::string> out = table.at(layer);
  out.insert(layer);
  return out;
}

std::string list(const std::set<std::string>& names) {
  std::string out;
  for (const std::string& each : names) out += (out.empty() ? "" : ", ") + each;
  return out;
}

void check_include(const SourceText& source, const Include& include, const ByName& files,
                   const std::set<std::string>& allowed, std::vector<Finding>& out) {
  const auto report = [&](std::string text) {
    out.push_back({source.name(), include.line, std::move(text)});
  };
  if (include.quoted) {
    report("\"" + include.path + "\" is to be included as <muster/layer/file.hpp>");
    return;
  }
  if (!include.path.starts_with(muster)) return;
  if (!files.contains(std::string(root) + include.path)) {
    report("<" + include.path + "> does not exist");
    return;
  }
  const std::string layer = layer_of(include.path);
  if (allowed.contains(any_layer) || (!layer.empty() && allowed.contains(layer))) return;
  report("<" + include.path + "> is not allowed here; allowed: " + list(allowed));
}

bool is_banned(std::string_view path, const std::vector<std::string>& banned) {
  return std::any_of(banned.begin(), banned.end(),
                     [&](const std::string& prefix) { return path.starts_with(prefix); });
}

}  // namespace

std::vector<Include> includes_of(const SourceText& source) {
  std::vector<Include> out;
  for (std::size_t number = 1; number <= source.line_count(); ++number) {
    std::string_view line = source.line(number);
    const auto skip_blanks = [&] {
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    };
    skip_blanks();
    if (!line.starts_with('#')) continue;
    line.remove_prefix(1);
    skip_blanks();
    if (!line.starts_with("include")) continue;
    line.remove_prefix(std::string_view("include").size());
    skip_blanks();
    if (line.empty() || (line[0] != '<' && line[0] != '"')) continue;
    const bool quoted = line[0] == '"';
    const auto end = line.find(quoted ? '"' : '>', 1);
    if (end == std::string_view::npos) continue;
    out.push_back({std::string(line.substr(1, end - 1)), quoted, number});
  }
  return out;
}

std::vector<Finding> check_layers(const std::vector<SourceText>& sources, const LayerTable& table) {
  std::vector<Finding> out;
  const ByName files = by_name(sources);
  for (const SourceText& source : sources) {
    const std::string_view path = std::string_view(source.name()).substr(root.size());
    const std::string layer = layer_of(path);
    if (!layer.empty() && !table.contains(layer)) {
      out.push_back({source.name(), 0, "the table has no layer '" + layer + "'"});
      continue;
    }
    const auto allowed = allowed_for(path, table);
    for (const Include& each : includes_of(source)) {
      check_include(source, each, files, allowed, out);
    }
  }
  return out;
}

std::vector<Finding> check_libraries(const std::vector<SourceText>& sources,
                                     const std::vector<LibraryRule>& rules) {
  std::vector<Finding> out;
  for (const SourceText& source : sources) {
    const std::string layer = layer_of(std::string_view(source.name()).substr(root.size()));
    for (const Include& include : includes_of(source)) {
      const auto rule = std::find_if(rules.begin(), rules.end(), [&](const LibraryRule& each) {
        return include.path.starts_with(each.prefix);
      });
      if (rule == rules.end() || rule->layers.contains(layer)) continue;
      out.push_back({source.name(), include.line,
                     "<" + include.path + "> is " +
                         (rule->layers.empty() ? "not allowed anywhere"
                                               : "allowed in " + list(rule->layers) + " alone")});
    }
  }
  return out;
}

std::vector<Finding> check_headers_alone(const std::vector<SourceText>& sources,
                                         const std::set<std::string>& layers,
                                         const std::vector<std::string>& banned,
                                         const std::set<std::string>& partly_inline) {
  const ByName files = by_name(sources);
  std::deque<const SourceText*> rest;
  std::map<const SourceText*, std::string> reached_from;
  const auto reach = [&](const SourceText* source, const std::string& from) {
    if (reached_from.emplace(source, from).second) rest.push_back(source);
  };
  for (const SourceText& source : sources) {
    const bool start = layers.contains(layer_of(source.name().substr(root.size())));
    if (start && source.is_header()) reach(&source, "");
  }
  std::vector<Finding> out;
  for (; !rest.empty(); rest.pop_front()) {
    const SourceText& source = *rest.front();
    const std::string& from = reached_from.at(&source);
    const std::string stem = source.name().substr(0, source.name().rfind('.'));
    if (files.contains(stem + ".cpp") && !partly_inline.contains(source.name())) {
      out.push_back({source.name(), 0, "has a .cpp, but is reached with headers alone" + from});
    }
    for (const Include& include : includes_of(source)) {
      if (is_banned(include.path, banned)) {
        out.push_back({source.name(), include.line,
                       "<" + include.path + "> where headers alone must do" + from});
      }
      const auto found = files.find(std::string(root) + include.path);
      if (found != files.end()) reach(found->second, ", from " + source.name() + from);
    }
  }
  return out;
}

}  // namespace muster::layering
