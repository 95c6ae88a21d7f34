#include <muster/base/error.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/mapreduce/attempt.hpp>

namespace muster::cluster {
namespace {

template <class E>
E get_enum(ByteReader& in, E last) {
  const auto value = in.fixed<E>();
  if (value > last) in.fail("a value means nothing");
  return value;
}

}  // namespace

Bytes encode(const JobCall& call) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.fixed(call.kind);
  out.varint(call.job);
  out.string(call.request);
  out.varint(call.addresses.size());
  for (const std::string& each : call.addresses) out.string(each);
  out.varint(call.address_of_run.size());
  for (const std::uint32_t each : call.address_of_run) out.varint(each);
  return bytes;
}

JobCall decode_job_call(std::string_view bytes) {
  ByteReader in(bytes, "a job's call");
  JobCall call;
  call.kind = get_enum(in, jobs::CallKind::reduce);
  call.job = in.varint();
  call.request = in.string();
  for (std::uint64_t count = in.varint(); count > 0; --count)
    call.addresses.emplace_back(in.string());
  for (std::uint64_t count = in.varint(); count > 0; --count) {
    const std::uint64_t address = in.varint();
    if (address >= call.addresses.size()) in.fail("a run is nowhere");
    call.address_of_run.push_back(static_cast<std::uint32_t>(address));
  }
  in.finish();
  return call;
}

bool writes_elsewhere(std::string_view call) {
  try {
    const JobCall decoded = decode_job_call(call);
    if (decoded.kind != jobs::CallKind::map) return decoded.kind == jobs::CallKind::reduce;
    return mapreduce::decode_map_request(decoded.request).output.is_absolute();
  } catch (const Error&) {
    return false;  // it will fail where it runs, and say why
  }
}

Bytes encode(const JobPlace& place) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.string(place.plugin.native());
  out.string(place.jobs.native());
  out.string(place.address);
  out.string(place.data_keys.public_key);
  out.string(place.data_keys.secret_key);
  out.varint(place.memory_bytes);
  out.varint(place.least_free);
  out.fixed(std::int64_t{place.patience.count()});
  out.string(place.sandbox ? encode(*place.sandbox) : Bytes());
  return bytes;
}

JobPlace decode_job_place(std::string_view bytes) {
  ByteReader in(bytes, "the place of a job's call");
  JobPlace place;
  place.plugin = in.string();
  place.jobs = in.string();
  place.address = in.string();
  place.data_keys.public_key = in.string();
  place.data_keys.secret_key = in.string();
  place.memory_bytes = in.varint();
  place.least_free = in.varint();
  place.patience = Duration(in.fixed<std::int64_t>());
  if (const auto rules = in.string(); !rules.empty())
    place.sandbox = sandbox::decode_sandbox_rules(rules);
  in.finish();
  return place;
}

std::filesystem::path run_directory(const std::filesystem::path& jobs, std::uint64_t job) {
  return jobs / std::to_string(job);
}

Bytes encode(const JobCallEnd& end) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.fixed(end.kind);
  out.string(end.value);
  out.fixed(end.failure.cause);
  out.fixed(end.failure.code);
  out.string(end.failure.message);
  out.string(end.failure.hint);
  out.varint(end.runs.size());
  for (const std::uint32_t each : end.runs) out.varint(each);
  out.fixed(end.is_gone);
  out.string(end.silent);
  return bytes;
}

bool says_no_room(std::string_view end) noexcept {
  return !end.empty() && static_cast<JobCallEnd::Kind>(end.front()) == JobCallEnd::Kind::no_room;
}

JobCallEnd decode_job_call_end(std::string_view bytes) {
  ByteReader in(bytes, "the end of a job's call");
  JobCallEnd end;
  end.kind = get_enum(in, JobCallEnd::Kind::no_room);
  end.value = in.string();
  end.failure.cause = get_enum(in, scheduling::FailureCause::input_lost);
  end.failure.code = get_enum(in, last_error_code);
  end.failure.message = in.string();
  end.failure.hint = in.string();
  for (std::uint64_t count = in.varint(); count > 0; --count)
    end.runs.push_back(static_cast<std::uint32_t>(in.varint()));
  end.is_gone = in.fixed<bool>();
  end.silent = in.string();
  in.finish();
  return end;
}

}  // namespace muster::cluster
