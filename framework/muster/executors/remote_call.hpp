#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <muster/base/bytes.hpp>
#include <muster/executors/task_context.hpp>

namespace muster::detail {

/// A call as it is sent to another process: bytes, with large arguments left where they are. Move
/// only; what it refers to must outlive it.
class EncodedCall {
 public:
  /// From this size on it is cheaper to remember where bytes are than to copy them.
  static constexpr std::size_t borrowed_bytes_min = std::size_t{4} << 10U;

  Bytes& bytes() noexcept { return bytes_; }  ///< to append to

  /// Appends bytes that stay where they are.
  void borrow(std::string_view bytes) {
    borrowed_.push_back({bytes_.size(), bytes});
    borrowed_size_ += bytes.size();
  }

  std::size_t size() const noexcept { return bytes_.size() + borrowed_size_; }

  void clear() noexcept {
    bytes_.clear();
    borrowed_.clear();
    borrowed_size_ = 0;
  }

  /// The longest piece that starts at `offset` < size() and lies in one place.
  std::string_view piece(std::size_t offset) const noexcept;

 private:
  struct Borrowed {
    std::size_t at;  // after so many of bytes_
    std::string_view bytes;
  };

  Bytes bytes_;
  std::vector<Borrowed> borrowed_;
  std::size_t borrowed_size_ = 0;
};

/// Where a task process puts a result. The bytes are sent, or copied, before send() returns.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  /// To be called once. Throws Error(limit) if the result is too large.
  virtual void send(std::string_view result) = 0;
};

/// Runs in the task process: decodes the call, runs it, and sends the result. Throws what the
/// function throws.
using RemoteFunction = void (*)(TaskContext& context, std::string_view call, ResultSink& result);

/// How calls of one type travel; one constant for each type.
struct RemoteCall {
  RemoteFunction function = nullptr;  ///< null if such calls cannot be sent
  const char* refusal = nullptr;      ///< why not
  /// It has at most EncodedCall::borrowed_bytes_min, and encoding it runs no code of the user.
  bool is_flat = false;
  bool takes_stop_token = false;
};

}  // namespace muster::detail
