#include <gtest/gtest.h>

#include <muster/base/error.hpp>
#include <muster/cluster/job_call.hpp>
#include <muster/mapreduce/attempt.hpp>

namespace muster::cluster {
namespace {

/// Every shorter text is refused.
template <class Decode>
void expect_prefixes_refused(const Bytes& bytes, Decode decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(decode(std::string_view(bytes).substr(0, size)), Error) << size;
}

TEST(JobCallCodec, ReturnsWhatWasPutIn) {
  const JobCall call{jobs::CallKind::reduce, 7, "request", {"", "tcp://a:1"}, {0, 1, 1}};
  const JobCall got = decode_job_call(encode(call));
  EXPECT_EQ(got.kind, call.kind);
  EXPECT_EQ(got.job, 7U);
  EXPECT_EQ(got.request, "request");
  EXPECT_EQ(got.addresses, call.addresses);
  EXPECT_EQ(got.address_of_run, call.address_of_run);
  expect_prefixes_refused(encode(call), decode_job_call);
  EXPECT_THROW(decode_job_call(encode(JobCall{{}, 1, "", {"a"}, {1}})), Error) << "nowhere";
}

TEST(JobCallCodec, KnowsWhereACallWrites) {
  const auto map_to = [](const char* output) {
    mapreduce::MapRequest request;
    request.output = output;
    return encode(JobCall{jobs::CallKind::map, 1, mapreduce::encode(request), {}, {}});
  };
  EXPECT_FALSE(writes_elsewhere(map_to("run-1"))) << "a run file of the worker's own";
  EXPECT_TRUE(writes_elsewhere(map_to("/out/part-1"))) << "of a job without a reduce stage";
  EXPECT_TRUE(writes_elsewhere(encode(JobCall{jobs::CallKind::reduce, 1, "", {}, {}})));
  EXPECT_FALSE(writes_elsewhere(encode(JobCall{jobs::CallKind::count, 1, "", {}, {}})));
  EXPECT_FALSE(writes_elsewhere("rubbish"));
}

TEST(JobCallCodec, ReturnsWhatCameOfIt) {
  const JobCallEnd end{JobCallEnd::Kind::input_lost,
                       "",
                       {scheduling::FailureCause::input_lost, ErrorCode::io, "message", "hint"},
                       {3, 5},
                       true,
                       "tcp://a:1"};
  const JobCallEnd got = decode_job_call_end(encode(end));
  EXPECT_EQ(got.kind, end.kind);
  EXPECT_EQ(got.failure.message, "message");
  EXPECT_EQ(got.failure.hint, "hint");
  EXPECT_EQ(got.runs, end.runs);
  EXPECT_TRUE(got.is_gone);
  EXPECT_EQ(got.silent, "tcp://a:1");
  expect_prefixes_refused(encode(end), decode_job_call_end);
}

TEST(JobCallCodec, ReturnsThePlace) {
  JobPlace place{"/plugin", "/jobs", "tcp://a:1", {"public", "secret"}, 1000, 64, Duration(7)};
  EXPECT_FALSE(decode_job_place(encode(place)).sandbox);
  place.sandbox = sandbox::SandboxRules{6, true, {"/keys"}, {"/results"}};
  const JobPlace got = decode_job_place(encode(place));
  EXPECT_EQ(got.plugin, place.plugin);
  EXPECT_EQ(got.jobs, place.jobs);
  EXPECT_EQ(got.data_keys.secret_key, "secret");
  EXPECT_EQ(got.patience, Duration(7));
  EXPECT_EQ(got.sandbox, place.sandbox);
  expect_prefixes_refused(encode(place), decode_job_place);
}

}  // namespace
}  // namespace muster::cluster
