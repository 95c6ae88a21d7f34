#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <muster/base/checksum.hpp>
#include <muster/base/units.hpp>
#include <muster/cluster/shuffle/run_frame.hpp>
#include <muster/cluster/shuffle/run_source.hpp>

namespace muster::cluster {
namespace {

// Asked for and not used yet: enough to keep a connection busy while a block is worked on.
constexpr std::size_t fetches_ahead = 8;
// Small blocks that are asked for together.
constexpr std::size_t stretches_max = 256;
constexpr std::size_t runs_a_question = 256;
constexpr Duration connect_again_after = std::chrono::milliseconds(200);

std::optional<transport::DialerKeys> dialer_keys(const transport::CurveKeyPair& keys) {
  if (keys.secret_key.empty()) return std::nullopt;
  return transport::DialerKeys{keys, keys.public_key};
}

}  // namespace

/// A worker that has some of them.
struct RunSource::Peer {
  Peer(transport::ZmqContext& context, const RunPlaces& places, std::uint32_t number)
      : address(number), dialer(context, places.addresses[number], dialer_keys(places.keys)) {
    dialer.connect();
  }

  std::uint32_t address;
  transport::ZmqDialer dialer;
  bool is_asked = false;  ///< over this connection, for all that is wanted
  std::vector<std::uint32_t> runs;
  std::optional<wire::RunsWanted> index_wanted;  ///< the question that is open
  std::optional<wire::RunsIndex> index;
  TimePoint heard = Clock::now();
};

RunSource::RunSource(RunPlaces places)
    : places_(std::move(places)), peers_(places_.addresses.size()), blocks_(places_.runs.size()) {
  for (std::uint32_t run = 0; run < places_.runs.size(); ++run) {
    if (!is_own(run)) peer(places_.address_of_run[run]).runs.push_back(run);
  }
  fetch_indexes();
  plan_fetches();
}

RunSource::~RunSource() = default;

bool RunSource::is_own(std::uint32_t run) const {
  return places_.addresses[places_.address_of_run[run]] == places_.own_address;
}

RunSource::Peer& RunSource::peer(std::uint32_t address) {
  if (places_.addresses[address].empty()) lose(address, "the worker that had them is gone");
  if (peers_[address] == nullptr)
    peers_[address] = std::make_unique<Peer>(context_, places_, address);
  return *peers_[address];
}

void RunSource::lose(std::uint32_t address, const std::string& why) const {
  std::vector<std::uint32_t> runs;
  for (std::uint32_t run = 0; run < places_.runs.size(); ++run) {
    if (places_.address_of_run[run] == address) runs.push_back(run);
  }
  std::string message = fmt::format("{} of the map outputs could not be fetched from '{}': {}",
                                    runs.size(), places_.addresses[address], why);
  throw InputLost(message, std::move(runs), false, places_.addresses[address]);
}

/// Their worker has answered: it does not have them as it should.
void RunSource::lose(const Fetch& fetch, const std::string& why) const {
  std::vector<std::uint32_t> runs;
  for (std::uint32_t run = 0; run < places_.runs.size(); ++run) {
    const auto& wanted = fetch.wanted.stretches;
    if (std::any_of(wanted.begin(), wanted.end(),
                    [&](const auto& each) { return each.run == places_.runs[run]; }))
      runs.push_back(run);
  }
  throw InputLost(
      fmt::format("'{}' could not give map outputs: {}", places_.addresses[fetch.address], why),
      std::move(runs), true);
}

void RunSource::ask_again(Peer& of) {
  if (of.index_wanted) of.dialer.send(run_frame(*of.index_wanted));
  for (std::size_t i = used_; i < asked_; ++i) {
    if (fetches_[i].address == of.address && !fetches_[i].bytes)
      of.dialer.send(run_frame(fetches_[i].wanted));
  }
}

/// One round for one worker: until it has said something, or a moment has passed.
void RunSource::receive(Peer& from) {
  using State = transport::Dialer::State;
  const TimePoint end = from.heard + places_.patience;
  from.dialer.wait(std::min(end, Clock::now() + connect_again_after));
  if (from.dialer.state() == State::lost) {
    from.dialer.connect();
    from.is_asked = false;
  }
  transport::ReceivedFrame frame;
  while (from.dialer.receive(frame)) {
    const wire::FrameReading reading = wire::read_frame(frame.bytes);
    if (!reading.frame) continue;
    const auto type = static_cast<wire::MessageType>(reading.frame->header.type);
    if (type == wire::MessageType::runs_index) on_index(from, reading.frame->body);
    if (type == wire::MessageType::run_bytes) on_bytes(from, frame, reading.frame->body);
    from.heard = Clock::now();
  }
  // Here: receiving, too, may find it open.
  if (from.dialer.state() == State::open && !std::exchange(from.is_asked, true)) ask_again(from);
  if (Clock::now() >= end && from.heard + places_.patience <= Clock::now()) {
    lose(from.address, fmt::format("no answer for {}: {}", format_duration(places_.patience),
                                   from.dialer.trouble()));
  }
}

void RunSource::on_index(Peer& from, std::string_view body) const {
  const auto type = static_cast<std::uint16_t>(wire::MessageType::runs_index);
  auto index = std::get<wire::RunsIndex>(*wire::read_message(type, body));
  if (from.index_wanted && index.number == from.index_wanted->number) from.index = std::move(index);
}

void RunSource::on_bytes(const Peer& from, const transport::ReceivedFrame& frame,
                         std::string_view body) {
  const wire::RunBytesView given = wire::read_run_bytes(body);
  if (given.number >= asked_ || fetches_[given.number].address != from.address) return;
  Fetch& fetch = fetches_[given.number];
  if (!given.trouble.empty()) lose(fetch, std::string(given.trouble));
  if (given.bytes.size() != fetch.size) lose(fetch, "it gave too little");
  if (given.number >= used_) fetch.bytes = {given.bytes, frame.owner};
}

void RunSource::fetch_indexes() {
  std::uint64_t number = 0;
  for (const auto& each : peers_) {
    if (each == nullptr) continue;
    for (std::size_t at = 0; at < each->runs.size(); at += runs_a_question) {
      const std::size_t end = std::min(at + runs_a_question, each->runs.size());
      wire::RunsWanted wanted{++number, places_.job, places_.partition, {}};
      for (std::size_t i = at; i < end; ++i) wanted.runs.push_back(places_.runs[each->runs[i]]);
      each->index.reset();
      each->index_wanted = std::move(wanted);
      each->heard = Clock::now();
      if (each->is_asked) each->dialer.send(run_frame(*each->index_wanted));
      while (!each->index) receive(*each);
      if (each->index->runs.size() != end - at) lose(each->address, "its answer makes no sense");
      for (std::size_t i = at; i < end; ++i) {
        const wire::RunsIndex::Run& run = each->index->runs[i - at];
        if (!run.trouble.empty()) note_gone(each->runs[i], run.trouble);
        for (const auto& block : run.blocks) {
          blocks_[each->runs[i]].push_back({each->runs[i], block});
          records_ += block.records;
        }
      }
    }
    each->index_wanted.reset();
  }
  for (std::uint32_t run = 0; run < places_.runs.size(); ++run) {
    std::error_code error;
    const auto file = places_.own_directory / places_.runs[run];
    if (is_own(run) && !std::filesystem::exists(file, error))
      note_gone(run, "'" + file.string() + "' is not there any more");
  }
  if (!gone_.empty()) throw InputLost(trouble_, gone_, true);  // all together, so that it is once
}

void RunSource::note_gone(std::uint32_t run, const std::string& trouble) {
  if (gone_.empty()) trouble_ = trouble;
  gone_.push_back(run);
}

/// Blocks in the order of use: large ones in pieces, small ones together. One that fits into a
/// fetch is not divided: it is used where it has arrived.
void RunSource::plan_fetches() {
  for (std::uint32_t run = 0; run < blocks_.size(); ++run) {
    for (const Block& block : blocks_[run]) {
      std::uint64_t offset = block.at.offset;
      std::uint64_t left = block.at.size;
      while (left != 0) {
        const std::uint32_t address = places_.address_of_run[run];
        const std::uint64_t whole = std::min<std::uint64_t>(left, wire::run_bytes_enough);
        const bool fits = !fetches_.empty() && fetches_.back().address == address &&
                          fetches_.back().size + whole <= wire::run_bytes_enough &&
                          fetches_.back().wanted.stretches.size() < stretches_max;
        if (!fits) {
          fetches_.emplace_back();
          fetches_.back().address = address;
          fetches_.back().wanted.number = fetches_.size() - 1;
          fetches_.back().wanted.job = places_.job;
        }
        Fetch& fetch = fetches_.back();
        fetch.wanted.stretches.push_back({places_.runs[run], offset, whole});
        fetch.size += whole;
        offset += whole;
        left -= whole;
      }
    }
  }
}

void RunSource::ask_ahead() {
  for (; asked_ < fetches_.size() && asked_ < used_ + fetches_ahead; ++asked_) {
    Peer& of = peer(fetches_[asked_].address);
    if (asked_ == used_) of.heard = Clock::now();
    if (of.is_asked) of.dialer.send(run_frame(fetches_[asked_].wanted));
  }
}

transport::ReceivedFrame RunSource::take_bytes() {
  ask_ahead();
  Fetch& fetch = fetches_[used_];
  Peer& from = peer(fetch.address);
  if (!fetch.bytes) from.heard = std::max(from.heard, Clock::now() - places_.patience / 2);
  while (!fetch.bytes) receive(from);
  ++used_;
  transport::ReceivedFrame out = std::move(*fetch.bytes);
  fetch = {fetch.address, {}, fetch.size, transport::ReceivedFrame()};  // of no use any more
  ask_ahead();
  return out;
}

std::optional<std::string_view> RunSource::next_of_own() {
  try {
    if (!own_) {
      own_.emplace(places_.own_directory / places_.runs[run_], places_.partition);
      records_ += own_->records();
    }
    const auto block = own_->next();
    if (!block) own_.reset();
    return block;
  } catch (const Error& error) {
    throw InputLost(error.what(), {run_}, true);
  }
}

/// The next bytes of what was fetched: where they are, if they came together.
std::string_view RunSource::next_of_others(std::uint64_t size) {
  if (size == 0) return {};  // nothing was fetched for it
  const auto take = [this](std::size_t at_most) {
    if (bytes_.bytes.empty()) bytes_ = take_bytes();
    const std::string_view out = bytes_.bytes.substr(0, at_most);
    bytes_.bytes.remove_prefix(out.size());
    return out;
  };
  const std::string_view first = take(size);
  if (first.size() == size) return first;
  current_ = first;
  while (current_.size() < size) current_ += take(size - current_.size());
  return current_;
}

std::optional<std::string_view> RunSource::next() {
  for (; run_ < places_.runs.size(); ++run_, block_ = 0) {
    if (is_own(run_)) {
      if (const auto block = next_of_own()) return block;
      continue;
    }
    if (block_ == blocks_[run_].size()) continue;
    const Block& block = blocks_[run_][block_++];
    const std::string_view bytes = next_of_others(block.at.size);
    if (checksum(bytes) != block.at.checksum)
      throw InputLost(
          fmt::format("'{}' was damaged where it lies, or on its way", places_.runs[run_]), {run_},
          true);
    return bytes;
  }
  return std::nullopt;
}

}  // namespace muster::cluster
