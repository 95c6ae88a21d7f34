#include <algorithm>
#include <utility>

#include <muster/base/error.hpp>
#include <muster/cluster/coordinator/code_relay.hpp>

namespace muster::cluster {

void CodeRelay::on(wire::SessionId worker, const wire::CodeWanted& wanted, Sends& out) {
  try {
    if (store_.has(wanted.digest)) {
      answer(worker, wanted.digest, wanted.offset, out);
      return;
    }
  } catch (const std::exception& error) {
    out.emplace_back(worker, wire::CodeMissing{wanted.digest, error.what()});
    return;
  }
  const auto [found, is_new] = searches_.try_emplace(wanted.digest);
  found->second.waiting.insert(worker);
  if (is_new) ask_next(wanted.digest, out);
}

bool CodeRelay::fetch(wire::SessionId client, const wire::Digest& digest, Sends& out) {
  if (store_.has(digest)) return true;
  const auto [found, is_new] = searches_.try_emplace(digest);
  if (!is_new) return false;
  ask(client, digest, found->second, out);
  return false;
}

void CodeRelay::answer(wire::SessionId worker, const wire::Digest& digest, std::uint64_t offset,
                       Sends& out) {
  try {
    out.emplace_back(worker, store_.read(digest, offset));
  } catch (const std::exception& error) {
    out.emplace_back(worker, wire::CodeMissing{digest, error.what()});
  }
}

void CodeRelay::ask_next(const wire::Digest& digest, Sends& out) {
  Search& search = searches_.at(digest);
  const auto next = std::find_if(clients_.begin(), clients_.end(), [&](wire::SessionId client) {
    return !search.asked.contains(client);
  });
  if (next == clients_.end()) {
    give_up(digest, "no client that is connected has it, or gives it", out);
    return;
  }
  ask(*next, digest, search, out);
}

void CodeRelay::ask(wire::SessionId client, const wire::Digest& digest, Search& search,
                    Sends& out) {
  search.source = client;
  search.since.reset();
  search.asked.insert(client);
  out.emplace_back(client, wire::CodeWanted{digest, store_.next_offset(digest)});
}

void CodeRelay::expire(TimePoint now, Sends& out) {
  std::vector<wire::Digest> overdue;
  for (auto& [digest, search] : searches_) {
    if (!search.since) search.since = now;
    if (*search.since + answer_within <= now) overdue.push_back(digest);
  }
  for (const wire::Digest& digest : overdue) ask_next(digest, out);
}

std::optional<TimePoint> CodeRelay::next_deadline() const {
  std::optional<TimePoint> next;
  for (const auto& [digest, search] : searches_) {
    const TimePoint at = search.since ? *search.since + answer_within : TimePoint{};
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

void CodeRelay::on(wire::SessionId client, const wire::CodePiece& piece, Sends& out) {
  const auto found = searches_.find(piece.digest);
  if (found == searches_.end() || found->second.source != client) return;
  try {
    const std::uint64_t before = store_.next_offset(piece.digest);
    const DownloadStep step = store_.add(piece);
    if (!step.is_complete) {
      const auto since = found->second.since;
      ask(client, piece.digest, found->second, out);
      if (step.next_offset <= before) found->second.since = since;  // that was none of it
      return;
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::corrupt) {
      ask_next(piece.digest, out);  // another may have it
    } else {
      give_up(piece.digest, error.what(), out);
    }
    return;
  }
  const Search search = std::move(found->second);
  searches_.erase(found);
  for (const wire::SessionId worker : search.waiting) answer(worker, piece.digest, 0, out);
}

void CodeRelay::on(wire::SessionId client, const wire::CodeMissing& missing, Sends& out) {
  const auto found = searches_.find(missing.digest);
  if (found != searches_.end() && found->second.source == client) ask_next(missing.digest, out);
}

void CodeRelay::give_up(const wire::Digest& digest, const std::string& reason, Sends& out) {
  const auto found = searches_.find(digest);
  for (const wire::SessionId worker : found->second.waiting) {
    out.emplace_back(worker, wire::CodeMissing{digest, reason});
  }
  searches_.erase(found);
  store_.forget_download(digest);
}

void CodeRelay::remove_client(wire::SessionId client, Sends& out) {
  clients_.erase(client);
  std::vector<wire::Digest> orphaned;
  for (const auto& [digest, search] : searches_) {
    if (search.source == client) orphaned.push_back(digest);
  }
  for (const wire::Digest& digest : orphaned) ask_next(digest, out);
}

void CodeRelay::remove_worker(wire::SessionId worker) {
  for (auto& [digest, search] : searches_) search.waiting.erase(worker);
}

}  // namespace muster::cluster
