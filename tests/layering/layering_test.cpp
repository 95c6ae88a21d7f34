#include <algorithm>

#include <gtest/gtest.h>

#include "layer_rules.hpp"

namespace muster::layering {
namespace {

// The architecture in force: ARCHITECTURE.md says what each layer is.
const LayerTable table = {
    {"base", {}},
    {"codec", {"base"}},
    {"futures", {"base"}},
    {"scheduling", {"base"}},
    {"observe", {"base"}},
    {"plugin", {"base", "codec"}},
    {"executors", {"base", "futures", "codec", "plugin", "observe"}},
    {"patterns", {"base", "futures", "executors"}},
    {"mapreduce", {"base", "plugin", "codec", "observe"}},
    {"sdk", {"base", "codec", "plugin", "mapreduce"}},
    {"jobs", {"base", "scheduling", "mapreduce", "executors", "futures", "plugin", "observe"}},
    {"wire", {"base", "codec"}},
    {"transport", {"base", "wire"}},
    {"sandbox", {"base"}},
    {"cluster",
     {"base", "codec", "futures", "executors", "scheduling", "mapreduce", "jobs", "wire",
      "transport", "sandbox"}},
    {"http", {"base"}},
    {"dashboard", {"base", "scheduling", "wire", "cluster", "http"}},
    {"launch", {"base"}},
    {"cli", {any_layer}},
};

// What plugins are built from, and what must not be asked of their authors' machines. (Of the codec
// they get what the sdk includes; messages between processes are the library's, and need cereal.)
const std::set<std::string> headers_alone = {"sdk"};
const std::vector<std::string> libraries = {"fmt/",   "spdlog/",   "xxhash",  "xxh3",
                                            "boost/", "nlohmann/", "cereal/", "zmq"};

// Of these, plugins use what is inline; muster_add_plugin() links with -z defs, which proves it.
const std::set<std::string> partly_inline = {"framework/muster/base/error.hpp"};

// cereal is the codec's affair. What lets a message choose types, or reads text, is nobody's.
const std::vector<LibraryRule> library_rules = {
    {"cereal/types/memory.hpp", {}}, {"cereal/types/polymorphic.hpp", {}},
    {"cereal/archives/", {}},        {"cereal/external/", {}},
    {"cereal/", {"codec"}},          {"zmq", {"transport"}},
    {"seccomp.h", {"sandbox"}},      {"linux/landlock.h", {"sandbox"}},
    {"boost/asio", {"http"}},        {"boost/beast", {"http"}},
};

std::vector<SourceText> framework() { return read_sources(MUSTER_SOURCE_DIR, {"framework"}); }

TEST(Layers, IncludeOnlyWhatTheTableAllows) {
  const auto sources = framework();
  ASSERT_GT(sources.size(), 100U);
  EXPECT_EQ(to_text(check_layers(sources, table)), "");
}

TEST(Layers, PluginsNeedHeadersAlone) {
  EXPECT_EQ(to_text(check_headers_alone(framework(), headers_alone, libraries, partly_inline)), "");
}

TEST(Layers, LibrariesAreIncludedOnlyWhereTheyBelong) {
  EXPECT_EQ(to_text(check_libraries(framework(), library_rules)), "");
}

TEST(Layers, TableHasNoLayerThatIsGone) {
  const auto sources = framework();
  for (const auto& [layer, allowed] : table) {
    const std::string folder = "framework/muster/" + layer + "/";
    EXPECT_TRUE(std::any_of(sources.begin(), sources.end(), [&](const auto& each) {
      return each.name().starts_with(folder);
    })) << layer;
  }
}

// From here on: the checker itself, on made-up sources.

SourceText source(const std::string& path, const std::string& text) {
  return {"framework/muster/" + path, text};
}

TEST(LayerChecker, NamesPlaceAndAllowedSet) {
  const std::vector<SourceText> sources = {
      source("base/a.hpp", ""), source("codec/a.hpp", "#include <muster/base/a.hpp>\n"),
      source("base/b.cpp", "\n#include <muster/base/a.hpp>\n  #  include <muster/codec/a.hpp>\n"),
      source("plugin/c.hpp", "#include <muster/futures/f.hpp>"), source("futures/f.hpp", "")};
  EXPECT_EQ(
      to_text(check_layers(sources, table)),
      "framework/muster/base/b.cpp:3: <muster/codec/a.hpp> is not allowed here; allowed: base\n"
      "framework/muster/plugin/c.hpp:1: <muster/futures/f.hpp> is not allowed here; "
      "allowed: base, codec, plugin\n");
}

TEST(LayerChecker, FindsWhatIsNotInTheTable) {
  EXPECT_EQ(to_text(check_layers({source("utils/a.hpp", "")}, table)),
            "framework/muster/utils/a.hpp:0: the table has no layer 'utils'\n");
}

TEST(LayerChecker, FindsQuotedAndMissingHeaders) {
  EXPECT_EQ(to_text(check_layers({source("cli/a.cpp",
                                         "#include \"../base/a.hpp\"\n"
                                         "#include <muster/base/gone.hpp>\n"
                                         "// #include <muster/base/gone.hpp>\n"
                                         "#include <vector>\n")},
                                 table)),
            "framework/muster/cli/a.cpp:1: \"../base/a.hpp\" is to be included as "
            "<muster/layer/file.hpp>\n"
            "framework/muster/cli/a.cpp:2: <muster/base/gone.hpp> does not exist\n");
}

TEST(LayerChecker, HoldsTheUmbrellaHeaders) {
  const std::vector<SourceText> sources = {
      source("jobs/j.hpp", ""), source("sdk/s.hpp", "#include <muster/muster.hpp>\n"),
      source("muster.hpp", "#include <muster/jobs/j.hpp>\n"),
      source("plugin.hpp", "#include <muster/sdk/s.hpp>\n#include <muster/jobs/j.hpp>\n")};
  const auto findings = check_layers(sources, table);
  ASSERT_EQ(findings.size(), 2U) << to_text(findings);
  EXPECT_EQ(findings[0].file, "framework/muster/sdk/s.hpp");
  EXPECT_EQ(to_text({findings[1]}),
            "framework/muster/plugin.hpp:2: <muster/jobs/j.hpp> is not allowed here; "
            "allowed: sdk\n");
}

TEST(LayerChecker, FollowsIncludesToLibrariesAndSources) {
  const std::vector<SourceText> sources = {
      source("sdk/s.hpp", "#include <muster/base/a.hpp>\n"),
      source("base/a.hpp", "#include <string>\n#include <muster/base/b.hpp>\n"),
      source("base/b.hpp", "#include <fmt/format.h>\n"),
      source("base/b.cpp", ""),
      source("base/other.hpp", "#include <fmt/format.h>\n"),
      source("sdk/s_test.cpp", "#include <fmt/format.h>\n")};
  const std::string path = ", from framework/muster/base/a.hpp, from framework/muster/sdk/s.hpp\n";
  EXPECT_EQ(to_text(check_headers_alone(sources, {"sdk"}, libraries, {})),
            "framework/muster/base/b.hpp:0: has a .cpp, but is reached with headers alone" + path +
                "framework/muster/base/b.hpp:1: <fmt/format.h> where headers alone must do" + path);
}

TEST(LayerChecker, HoldsLibrariesInTheirPlaces) {
  const std::vector<SourceText> sources = {
      source("codec/a.hpp",
             "#include <cereal/cereal.hpp>\n#include <cereal/types/memory.hpp>\n"
             "#include \"cereal/archives/json.hpp\"\n#include <cereal/archives/xml.hpp>\n"),
      source("codec/b.cpp", "#include <cereal/types/polymorphic.hpp>\n"),
      source("executors/c.cpp", "#include <cereal/types/vector.hpp>\n#include <vector>\n"),
      source("muster.hpp", "#include <cereal/cereal.hpp>\n")};
  EXPECT_EQ(to_text(check_libraries(sources, library_rules)),
            "framework/muster/codec/a.hpp:2: <cereal/types/memory.hpp> is not allowed anywhere\n"
            "framework/muster/codec/a.hpp:3: <cereal/archives/json.hpp> is not allowed anywhere\n"
            "framework/muster/codec/a.hpp:4: <cereal/archives/xml.hpp> is not allowed anywhere\n"
            "framework/muster/codec/b.cpp:1: <cereal/types/polymorphic.hpp> is not allowed "
            "anywhere\n"
            "framework/muster/executors/c.cpp:1: <cereal/types/vector.hpp> is allowed in codec "
            "alone\n"
            "framework/muster/muster.hpp:1: <cereal/cereal.hpp> is allowed in codec alone\n");
}

}  // namespace
}  // namespace muster::layering
