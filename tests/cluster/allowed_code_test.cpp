// A coordinator that runs what is on its list alone.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <muster/cluster/client/cluster_executor.hpp>

#include "cluster_of_programs.hpp"

namespace muster::testing {
namespace {

using namespace std::chrono_literals;

int seven() { return 7; }

class AllowedCode : public ClusterOfPrograms {
 protected:
  void start_with_list(Options options = {}) {
    std::ofstream(path("allowed")) << "# what may be run\n";
    std::ofstream(path("lines")) << "a line\n";
    options.insert(options.end(), {"--allow", path("allowed")});
    start_coordinator(options);
    start_worker("a");
  }
  static int count_of(const std::string& text, const std::string& what) {
    int count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
  }
  Finished run_job() { return muster({"run", plugin, "lines", "-q", "--coordinator", address()}); }
  Finished allow(const std::string& what) {
    return muster({"plugin", "allow", what, "--list", path("allowed")});
  }

  const std::string plugin = MUSTER_TEST_PLUGINS "/faulty.so";
};

TEST_F(AllowedCode, IsRunAndNothingElse) {
  start_with_list();
  const Finished refused = run_job();
  EXPECT_EQ(refused.exit_code, 2) << refused.text();
  EXPECT_NE(refused.err.find("its plugin may not be run here"), std::string::npos);
  EXPECT_NE(refused.err.find("muster plugin allow "), std::string::npos) << refused.text();
  const Finished pushed = muster({"plugin", "push", plugin, "--coordinator", address()});
  EXPECT_EQ(pushed.exit_code, 2) << pushed.text();

  const Finished allowed = allow(plugin);
  ASSERT_EQ(allowed.exit_code, 0) << allowed.text();
  const Finished ran = run_job();
  EXPECT_EQ(ran.exit_code, 0) << ran.text();
  EXPECT_EQ(ran.out, "a line\t1\n");
  EXPECT_NE(allow(plugin).out.find("is there already"), std::string::npos);
}

TEST_F(AllowedCode, PluginsOfADirectoryAreThereBeforeAnybodyAsks) {
  std::filesystem::create_directory(path("plugins"));
  std::filesystem::copy_file(plugin, path("plugins") / "faulty.so");
  std::ofstream(path("plugins") / "notes.txt") << "no plugin\n";
  start_coordinator({"--plugin-dir", path("plugins"), "--state", path("state")});
  EXPECT_EQ(count_of(coordinator().err(), "has plugin "), 1) << coordinator().err();
  const auto in_store = [&] {
    const std::filesystem::directory_iterator files(path("state") / "programs");
    return std::distance(begin(files), end(files));
  };
  EXPECT_EQ(in_store(), 1);
  const Finished pushed = muster({"plugin", "push", plugin, "--coordinator", address()});
  EXPECT_EQ(pushed.exit_code, 0) << pushed.text();
  EXPECT_EQ(in_store(), 1) << "it is the same";
  std::ofstream(path("lines")) << "a line\n";
  start_worker("a");
  EXPECT_EQ(run_job().out, "a line\t1\n");
}

TEST_F(AllowedCode, PluginsOfADirectoryThatAreNotOnTheListAreLeftOut) {
  std::filesystem::create_directory(path("plugins"));
  std::filesystem::copy_file(plugin, path("plugins") / "faulty.so");
  start_with_list({"--plugin-dir", path("plugins"), "--state", path("state")});
  EXPECT_EQ(count_of(coordinator().err(), "faulty.so is left out: "), 1) << coordinator().err();
  EXPECT_TRUE(std::filesystem::is_empty(path("state") / "programs"));
}

TEST_F(AllowedCode, APluginDirectoryThatIsNoneIsNamed) {
  const Finished end =
      run(command("muster-coordinator", {"--bind", "tcp://127.0.0.1:*", "--state", path("state"),
                                         "--plugin-dir", path("nowhere")}));
  EXPECT_EQ(end.exit_code, 2);
  EXPECT_NE(end.err.find("nowhere' is no directory"), std::string::npos) << end.err;
}

TEST_F(AllowedCode, IsAProgramThatTheRefusalHasNamed) {
  start_with_list();
  ClusterExecutor cluster(address());
  std::string digest;
  try {
    static_cast<void>(cluster.submit(seven).result(20s));
    FAIL() << "it ran";
  } catch (const Error& error) {
    const std::string text = error.what();
    const std::string before = "muster plugin allow ";
    ASSERT_NE(text.find(before), std::string::npos) << text;
    digest = text.substr(text.find(before) + before.size(), 64);
  }
  ASSERT_EQ(allow(digest).exit_code, 0) << digest;
  EXPECT_EQ(cluster.submit(seven).result(20s), 7);
}

TEST_F(AllowedCode, KeepsItsListWhenTheFileMakesNoSense) {
  start_with_list();
  ASSERT_EQ(allow(plugin).exit_code, 0);
  ASSERT_EQ(run_job().exit_code, 0);
  std::ofstream(path("allowed")) << "rubbish\n";
  EXPECT_EQ(run_job().exit_code, 0);
  EXPECT_NE(await_line(coordinator(), "allowed:1 does not begin with a SHA-256"), "");
  const Finished again = allow(plugin);
  EXPECT_EQ(again.exit_code, 2) << "what is not understood is not added to";
}

TEST_F(AllowedCode, HasToBeListedSomewhere) {
  const Finished none = run(command("muster-coordinator", {"--allow", path("nothing")}));
  EXPECT_NE(none.exit_code, 0);
  EXPECT_NE(none.err.find("nothing"), std::string::npos) << none.text();
}

TEST_F(AllowedCode, PluginsThatArePushedAreThere) {
  start_coordinator();
  const Finished pushed = muster({"plugin", "push", plugin, "--coordinator", address()});
  ASSERT_EQ(pushed.exit_code, 0) << pushed.text();
  const std::string digest = pushed.out.substr(0, 64);
  EXPECT_TRUE(std::filesystem::exists(path("state") / "muster" / "programs" / digest))
      << "in the coordinator's store";
  const Finished missing = muster({"plugin", "push", "none.so", "--coordinator", address()});
  EXPECT_EQ(missing.exit_code, 1) << missing.text();
  EXPECT_NE(missing.err.find("none.so"), std::string::npos) << missing.text();
  write_file_synced(path("text"), "it is no plugin");
  const Finished text = muster({"plugin", "push", "text", "--coordinator", address()});
  EXPECT_EQ(text.exit_code, 2) << text.text();
  EXPECT_NE(text.err.find("'text' is no plugin"), std::string::npos) << text.text();
}

}  // namespace
}  // namespace muster::testing
