#include <optional>
#include <string>
#include <variant>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <muster/base/random.hpp>
#include <muster/dashboard/routes.hpp>

namespace muster::dashboard {
namespace {

using What = wire::AskJob::What;

http::HttpRequest request(const std::string& method, const std::string& target,
                          const std::string& body = {}) {
  http::HttpRequest out;
  out.method = method;
  const auto mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark != std::string::npos) out.query = target.substr(mark + 1);
  out.headers["content-type"] = "application/json";
  out.body = body;
  return out;
}

/// The question about a job that a request is.
wire::AskJob job_question(const std::string& method, const std::string& target) {
  const Route route = route_of(request(method, target));
  if (!route.question) {
    ADD_FAILURE() << target << ": " << route.at_once.body;
    return {};
  }
  EXPECT_TRUE(route.needs_token) << target;
  return std::get<wire::AskJob>(route.question->what);
}

unsigned status_of(const std::string& method, const std::string& target,
                   const std::string& body = {}) {
  const Route route = route_of(request(method, target, body));
  return route.question ? 0 : route.at_once.status;
}

TEST(Routes, AskAboutJobs) {
  EXPECT_EQ(job_question("GET", "/api/v1/jobs").what, What::list);
  const wire::AskJob state = job_question("GET", "/api/v1/jobs/7");
  EXPECT_EQ(state.what, What::state);
  EXPECT_EQ(state.job, 7U);
  const wire::AskJob log = job_question("GET", "/api/v1/jobs/7/log?from=12");
  EXPECT_EQ(log.what, What::log);
  EXPECT_EQ(log.job, 7U);
  EXPECT_EQ(log.from, 12U);
  EXPECT_EQ(job_question("GET", "/api/v1/jobs/7/log").from, 0U);
  const wire::AskJob cancel = job_question("POST", "/api/v1/jobs/7/cancel");
  EXPECT_EQ(cancel.what, What::cancel);
  EXPECT_EQ(cancel.job, 7U);
}

TEST(Routes, AskAboutWorkers) {
  const Route list = route_of(request("GET", "/api/v1/workers"));
  ASSERT_TRUE(list.question);
  EXPECT_EQ(std::get<wire::AskWorkers>(list.question->what).drain, "");
  const Route drain = route_of(request("POST", "/api/v1/drain", R"({"worker": "a/b \"c\""})"));
  ASSERT_TRUE(drain.question);
  EXPECT_EQ(std::get<wire::AskWorkers>(drain.question->what).drain, "a/b \"c\"");
  EXPECT_TRUE(drain.needs_token);
}

TEST(Routes, AnOrderToDrainNamesAWorker) {
  for (const char* body : {"", "{}", "[]", "{", R"({"worker": ""})", R"({"worker": 1})",
                           R"(["worker"])", R"("worker")"})
    EXPECT_EQ(status_of("POST", "/api/v1/drain", body), 400U) << body;
  http::HttpRequest form = request("POST", "/api/v1/drain", R"({"worker": "a"})");
  form.headers["content-type"] = "text/plain";
  EXPECT_EQ(route_of(form).at_once.status, 400U) << "as a form of another site can send it";
}

TEST(Routes, AskForNumbers) {
  const Route status = route_of(request("GET", "/api/v1/status"));
  ASSERT_TRUE(status.question);
  EXPECT_TRUE(status.needs_token);
  const Route metrics = route_of(request("GET", "/metrics"));
  ASSERT_TRUE(metrics.question);
  EXPECT_TRUE(metrics.needs_token);
  EXPECT_EQ(metrics.document, Route::Document::metrics);
  const Route health = route_of(request("GET", "/healthz"));
  ASSERT_TRUE(health.question) << "it is asked whether it still works";
  EXPECT_FALSE(health.needs_token);
}

TEST(Routes, GiveThePageToEverybody) {
  for (const auto& [path, type] : {std::pair{"/", "text/html; charset=utf-8"},
                                   std::pair{"/page.js", "text/javascript; charset=utf-8"},
                                   std::pair{"/page.css", "text/css; charset=utf-8"}}) {
    const Route route = route_of(request("GET", path));
    EXPECT_FALSE(route.question) << path;
    EXPECT_FALSE(route.needs_token) << path;
    EXPECT_EQ(route.at_once.status, 200U) << path;
    EXPECT_EQ(route.at_once.type, type);
    EXPECT_GT(route.at_once.body.size(), 500U) << path;
  }
}

// A policy forbids what pages should not have: it would not work.
TEST(Routes, ThePageHasNoScriptOrStyleInIt) {
  const std::string page = route_of(request("GET", "/")).at_once.body;
  for (const char* odd :
       {"<script>", "<style", " style=", " onclick=", "javascript:", "http://", "https://"})
    EXPECT_EQ(page.find(odd), std::string::npos) << odd;
  const std::string script = route_of(request("GET", "/page.js")).at_once.body;
  for (const char* odd :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("})
    EXPECT_EQ(script.find(odd), std::string::npos) << odd;
}

TEST(Routes, ThereAreNoOthers) {
  for (const char* target : {"",
                             "x",
                             "//",
                             "/page.html",
                             "/../etc/passwd",
                             "/index.html/",
                             "/api",
                             "/api/v1",
                             "/api/v1/",
                             "/api/v2/jobs",
                             "/api/v1/jobs/",
                             "/api/v1/jobs/x",
                             "/api/v1/jobs/-1",
                             "/api/v1/jobs/18446744073709551616",
                             "/api/v1/jobs/1/",
                             "/api/v1/jobs/1/retry",
                             "/api/v1/jobs/1/log/2",
                             "/api/v1/workers/a",
                             "/metrics/",
                             "*"})
    EXPECT_EQ(status_of("GET", target), target == std::string("/api/v1/jobs/1/") ? 0U : 404U)
        << target;
  for (const char* from : {"", "x", "-1", "1x"})
    EXPECT_EQ(status_of("GET", std::string("/api/v1/jobs/1/log?from=") + from), 400U) << from;
}

TEST(Routes, TellTheMethodThatIsRight) {
  for (const auto& [method, target] : {std::pair{"POST", "/"},
                                       {"HEAD", "/"},
                                       {"DELETE", "/api/v1/jobs/1"},
                                       {"PUT", "/metrics"},
                                       {"POST", "/api/v1/workers"},
                                       {"OPTIONS", "/api/v1/jobs"},
                                       {"POST", "/healthz"}}) {
    const Route route = route_of(request(method, target));
    EXPECT_EQ(route.at_once.status, 405U) << method << target;
    ASSERT_EQ(route.at_once.headers.size(), 1U);
    EXPECT_EQ(route.at_once.headers[0], std::pair(std::string("Allow"), std::string("GET")));
  }
  for (const char* target : {"/api/v1/jobs/1/cancel", "/api/v1/drain"})
    EXPECT_EQ(route_of(request("GET", target)).at_once.headers.at(0).second, "POST") << target;
}

http::HttpResponse shown(const std::string& method, const std::string& target,
                         const cluster::Answer& answer) {
  return response_to(route_of(request(method, target)), answer);
}

TEST(Routes, ShowAnswersInTheirWay) {
  const cluster::CoordinatorNumbers numbers;
  EXPECT_EQ(shown("GET", "/healthz", numbers).body, "ok\n");
  EXPECT_TRUE(shown("GET", "/metrics", numbers).body.starts_with("# HELP muster_build_info"));
  EXPECT_EQ(shown("GET", "/metrics", numbers).type, "text/plain; version=0.0.4; charset=utf-8");
  const auto status = shown("GET", "/api/v1/status", numbers);
  EXPECT_EQ(status.type, "application/json");
  EXPECT_EQ(nlohmann::json::parse(status.body).at("schema"), 1);
  wire::JobState job;
  job.job = 7;
  const wire::JobStates states{0, {job}};
  EXPECT_EQ(nlohmann::json::parse(shown("GET", "/api/v1/jobs/7", states).body).at("job"), 7);
  const auto list = nlohmann::json::parse(shown("GET", "/api/v1/jobs", states).body);
  EXPECT_EQ(list.at("jobs").at(0).at("job"), 7);
}

TEST(Routes, TellWhatIsMissingFromWhatDoesNotAnswer) {
  const wire::JobAnswer missing{0, true, 0, 0, "there is no job 9", "'muster jobs' lists them"};
  const auto not_found = shown("GET", "/api/v1/jobs/9", missing);
  EXPECT_EQ(not_found.status, 404U);
  const auto error = nlohmann::json::parse(not_found.body).at("error");
  EXPECT_EQ(error.at("message"), "there is no job 9");
  EXPECT_EQ(error.at("hint"), "'muster jobs' lists them");
  const wire::JobAnswer ending{0, true, 0, 0, "the coordinator ends", ""};
  for (const char* target : {"/api/v1/jobs", "/metrics", "/healthz", "/api/v1/workers"})
    EXPECT_EQ(shown("GET", target, ending).status, 503U) << target;
  const wire::JobAnswer done{0, false, 0, 7, "", ""};
  EXPECT_EQ(shown("POST", "/api/v1/jobs/7/cancel", done).status, 200U);
}

// Whatever comes gets an answer, and nothing but a right order is one.
TEST(Routes, TakeAnyRequest) {
  Random random(1);
  const std::string letters = "/api/v1/jobs/123/log?from=&cancel%20\\\"<>drainworkers\xff\x80 \n";
  int questions = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string target = "/api/v1/jobs/12/cancel";
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      const char letter = letters[random.below(letters.size())];
      const std::size_t where = random.below(target.size());
      if (random.below(2) == 0)
        target[where] = letter;
      else
        target.insert(where, 1, letter);
    }
    const Route route = route_of(request("POST", target, target));
    if (!route.question) {
      ASSERT_GE(route.at_once.status, 400U) << target;
      continue;
    }
    ++questions;
    ASSERT_EQ(std::get<wire::AskJob>(route.question->what).what, What::cancel) << target;
    ASSERT_TRUE(route.needs_token);
  }
  EXPECT_GT(questions, 10'000);
}

}  // namespace
}  // namespace muster::dashboard
