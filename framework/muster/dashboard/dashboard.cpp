#include <utility>

#include <muster/dashboard/cluster_json.hpp>
#include <muster/dashboard/dashboard.hpp>
#include <muster/dashboard/routes.hpp>

namespace muster::dashboard {
namespace {

http::HttpResponse response_to(const http::HttpRefusal& refusal) {
  http::HttpResponse out{refusal.status, "application/json",
                         error_json(refusal.message, refusal.hint) + "\n"};
  if (refusal.status == 401)
    out.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"muster\"");
  return out;
}

/// For browsers: nothing of other sites is loaded, and nothing of this one is kept or framed.
http::HttpResponse guarded(http::HttpResponse response) {
  for (const auto& [name, value] : {
           std::pair{"Content-Security-Policy",
                     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
           std::pair{"X-Content-Type-Options", "nosniff"},
           std::pair{"Referrer-Policy", "no-referrer"},
           std::pair{"Cross-Origin-Resource-Policy", "same-origin"},
           std::pair{"Cross-Origin-Opener-Policy", "same-origin"},
           std::pair{"Cache-Control", "no-store"},
       })
    response.headers.emplace_back(name, value);
  return response;
}

}  // namespace

Dashboard::Dashboard(DashboardOptions options, Ask ask)
    : access_{std::move(options.hosts), http::token_in(options.token)},
      ask_(std::move(ask)),
      server_(
          options.address, options.limits,
          [this](http::HttpRequest&& request, const http::HttpReply& reply) {
            take(std::move(request), reply);
          },
          options.log) {}

void Dashboard::take(http::HttpRequest&& request, const http::HttpReply& reply) const {
  Route route = route_of(request);
  if (const auto refusal = http::refusal_of(request, access_, route.needs_token))
    return reply(guarded(response_to(*refusal)));
  if (!route.question) return reply(guarded(std::move(route.at_once)));
  cluster::Question question = *route.question;
  ask_(std::move(question), [reply, route = std::move(route)](const cluster::Answer& answer) {
    reply(guarded(response_to(route, answer)));
  });
}

}  // namespace muster::dashboard
