#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <muster/dashboard/cluster_json.hpp>
#include <muster/dashboard/metrics_text.hpp>
#include <muster/dashboard/page_files.hpp>
#include <muster/dashboard/routes.hpp>

namespace muster::dashboard {
namespace {

using http::HttpRequest;
using http::HttpResponse;
using What = wire::AskJob::What;

constexpr const char* json_type = "application/json";
constexpr const char* who = "http";

HttpResponse json(unsigned status, const std::string& document) {
  return {status, json_type, document + "\n"};
}

Route at_once(HttpResponse response) { return {.at_once = std::move(response)}; }

Route no_such(const std::string& what) {
  return at_once(json(404, error_json("there is no " + what, "docs/operations.md lists what is")));
}

Route wrong_method(const char* allowed) {
  Route out = at_once(json(405, error_json(std::string("the method is to be ") + allowed,
                                           "docs/operations.md lists what is")));
  out.at_once.headers.emplace_back("Allow", allowed);
  return out;
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    path.remove_prefix(1);  // a slash
    const auto end = std::min(path.find('/'), path.size());
    out.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// The page and what belongs to it: the same for everybody, so without the token.
std::optional<Route> file_at(const HttpRequest& request) {
  static constexpr std::array<std::pair<const char*, const char*>, 3> types = {{
      {"html", "text/html; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
  }};
  const std::string name = request.path == "/" ? "index.html" : request.path.substr(1);
  const auto found = page_files().find(name);
  if (found == page_files().end()) return std::nullopt;
  if (request.method != "GET") return wrong_method("GET");
  const std::string_view ending = std::string_view(name).substr(name.rfind('.') + 1);
  const auto* const type = std::find_if(types.begin(), types.end(),
                                        [&](const auto& each) { return each.first == ending; });
  Route out = at_once({200, type->second, std::string(found->second)});
  out.needs_token = false;
  return out;
}

Route ask_job(What what, std::uint64_t job, std::uint64_t from = 0) {
  wire::AskJob question;
  question.what = what;
  question.job = job;
  question.from = from;
  return {.question = cluster::Question{question, who}};
}

Route job_route(const HttpRequest& request, std::uint64_t job, std::string_view about) {
  if (about == "cancel")
    return request.method == "POST" ? ask_job(What::cancel, job) : wrong_method("POST");
  if (!about.empty() && about != "log") return no_such("page " + request.path);
  if (request.method != "GET") return wrong_method("GET");
  if (about.empty()) return ask_job(What::state, job);
  constexpr std::string_view key = "from=";
  const std::string_view query = request.query;
  if (query.empty()) return ask_job(What::log, job);
  const auto from =
      query.starts_with(key) ? number_of(query.substr(key.size())) : std::optional<std::uint64_t>();
  if (from) return ask_job(What::log, job, *from);
  return at_once(json(400, error_json("'from' is to be the number of a line", "?from=0")));
}

/// {"worker": NAME}
Route drain_route(const HttpRequest& request) {
  if (request.method != "POST") return wrong_method("POST");
  const auto body = nlohmann::json::parse(request.body, nullptr, false);
  const bool is_sound = request.header("content-type").starts_with(json_type) && body.is_object() &&
                        body.contains("worker") && body["worker"].is_string() &&
                        !body["worker"].get_ref<const std::string&>().empty();
  if (!is_sound)
    return at_once(
        json(400, error_json("say which worker, as application/json", R"({"worker": "NAME"})")));
  wire::AskWorkers order;
  order.drain = body["worker"].get<std::string>();
  return {.question = cluster::Question{order, who}};
}

Route api_route(const HttpRequest& request, const std::vector<std::string_view>& parts) {
  const std::string_view about = parts[2];
  if (about == "drain" && parts.size() == 3) return drain_route(request);
  if (about == "jobs" && parts.size() > 3 && parts.size() <= 5) {
    const auto job = number_of(parts[3]);
    if (!job) return no_such("job '" + std::string(parts[3]) + "'");
    return job_route(request, *job, parts.size() == 5 ? parts[4] : "");
  }
  if (parts.size() != 3 || (about != "jobs" && about != "workers" && about != "status"))
    return no_such("page " + request.path);
  if (request.method != "GET") return wrong_method("GET");
  if (about == "jobs") return ask_job(What::list, 0);
  if (about == "workers") return {.question = cluster::Question{wire::AskWorkers{}, who}};
  return {.question = cluster::Question{cluster::AskNumbers{}, who}};
}

struct ToDocument {
  const cluster::Question& question;

  HttpResponse operator()(const cluster::CoordinatorNumbers& numbers) const {
    return json(200, numbers_json(numbers));
  }
  HttpResponse operator()(const wire::JobStates& states) const {
    const bool is_list = std::get<wire::AskJob>(question.what).what == What::list;
    return json(200, is_list ? jobs_json(states.jobs) : job_json(states.jobs.at(0)));
  }
  HttpResponse operator()(const wire::JobLog& log) const {
    return json(200, log_json(std::get<wire::AskJob>(question.what).job, log));
  }
  HttpResponse operator()(const wire::WorkerRows& rows) const {
    return json(200, workers_json(rows));
  }
  HttpResponse operator()(const wire::JobAnswer& answer) const {
    if (!answer.is_refused) return json(200, done_json());
    return json(answer.message.starts_with("there is no ") ? 404 : 503,
                error_json(answer.message, answer.hint));
  }
  HttpResponse operator()(const wire::JobChunks& /*of a watcher*/) const {
    return json(500, error_json("the answer makes no sense", ""));
  }
};

}  // namespace

Route route_of(const HttpRequest& request) {
  if (request.path.empty() || request.path.front() != '/') return no_such("such page");
  if (std::optional<Route> file = file_at(request)) return std::move(*file);
  if (request.path == "/healthz" || request.path == "/metrics") {
    if (request.method != "GET") return wrong_method("GET");
    Route out{.question = cluster::Question{cluster::AskNumbers{}, who}};
    out.needs_token = request.path == "/metrics";
    out.document = out.needs_token ? Route::Document::metrics : Route::Document::health;
    return out;
  }
  const std::vector<std::string_view> parts = parts_of(request.path);
  const bool is_api = parts.size() > 2 && parts[0] == "api" && parts[1] == "v1";
  return is_api ? api_route(request, parts) : no_such("page " + request.path);
}

HttpResponse response_to(const Route& route, const cluster::Answer& answer) {
  const auto* const numbers = std::get_if<cluster::CoordinatorNumbers>(&answer);
  if (numbers != nullptr && route.document == Route::Document::metrics)
    return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(*numbers)};
  if (numbers != nullptr && route.document == Route::Document::health)
    return {200, "text/plain; charset=utf-8", "ok\n"};
  return std::visit(ToDocument{*route.question}, answer);
}

}  // namespace muster::dashboard
