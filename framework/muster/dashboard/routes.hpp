#pragma once

#include <optional>

#include <muster/cluster/coordinator/questions.hpp>
#include <muster/http/http_message.hpp>

/// The addresses of the coordinator's HTTP interface; docs/operations.md lists them. Pure
/// functions.
namespace muster::dashboard {

struct Route {
  enum class Document : std::uint8_t { json, metrics, health };

  std::optional<cluster::Question> question = {};  ///< what the coordinator is to be asked
  http::HttpResponse at_once = {};                 ///< otherwise: what is said
  Document document = Document::json;              ///< as what its answer is shown
  bool needs_token = true;
};

/// Of any request: 404 and 405 are answers, too.
Route route_of(const http::HttpRequest& request);

/// The answer to the question of a route.
http::HttpResponse response_to(const Route& route, const cluster::Answer& answer);

}  // namespace muster::dashboard
