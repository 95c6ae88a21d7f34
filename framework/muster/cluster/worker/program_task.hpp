#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include <muster/base/bytes.hpp>
#include <muster/executors/task.hpp>
#include <muster/wire/calls.hpp>

namespace muster::cluster {

/// Gets what came of calls; by any thread, with no lock held.
class EndSink {
 public:
  virtual ~EndSink() = default;
  virtual void ended(std::uint64_t generation, wire::CallEnd&& end) noexcept = 0;
};

/// The error that ends a task from outside: it ends as the kind says.
std::exception_ptr withdrawn_as(wire::EndKind kind);

/// A call of another program, in a pool of that program's task processes. What comes of it is not
/// looked into, but passed on as it is.
class ProgramTask final : public detail::SharedState<wire::CallEnd>, public detail::TaskBase {
 public:
  /// `entry` runs the call in the program. The sink must outlive the pool that the task goes to;
  /// `generation` is for it.
  ProgramTask(std::shared_ptr<const detail::RemoteCall> entry, std::uint64_t number, Bytes call,
              EndSink& sink, std::uint64_t generation)
      : TaskBase(static_cast<SharedStateBase&>(*this)),
        entry_(std::move(entry)),
        call_(std::move(call)),
        sink_(sink),
        generation_(generation) {
    end_.number = number;
  }

  void invoke() noexcept override;
  void refuse(std::exception_ptr error) noexcept override;
  bool keep_description(Bytes& description) noexcept override {
    set_end(wire::EndKind::error, std::move(description));
    return true;
  }
  /// It cannot be run here at all.
  void refuse_here(std::string_view reason) noexcept {
    set_end(wire::EndKind::refused, Bytes(reason));
  }
  const detail::RemoteCall& remote() const noexcept override { return *entry_; }
  void encode(detail::EncodedCall& out) const override { out.borrow(call_); }
  void accept(Bytes&& result) noexcept override {
    set_end(wire::EndKind::value, std::move(result));
  }
  detail::DoneCallbacks complete_and_drop() noexcept override;
  bool make_repeatable() noexcept override { return true; }
  void trigger_stop() noexcept override {}
  void rearm() noexcept override {
    reopen(home, [] {});
  }
  std::exception_ptr kept_error() const noexcept override { return error(); }
  std::shared_ptr<WorkControl> control() noexcept override;

 private:
  void set_end(wire::EndKind kind, Bytes&& bytes) noexcept;

  std::shared_ptr<const detail::RemoteCall> entry_;
  Bytes call_;
  EndSink& sink_;
  std::uint64_t generation_;
  wire::CallEnd end_;
};

}  // namespace muster::cluster
