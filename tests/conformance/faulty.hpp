#pragma once

#include <csignal>
#include <cstdint>
#include <stdexcept>

#include <muster/codec/types.hpp>

namespace muster::conformance {

enum class Fault : std::uint8_t {
  none,
  throws_in_save,
  throws_in_load,
  crashes_in_save,
  crashes_in_load,
};

/// Goes wrong on its way to or from another process.
struct Faulty {
  Fault fault = Fault::none;

  template <class Archive>
  void save(Archive& archive) const {
    if (fault == Fault::throws_in_save) throw std::runtime_error("cannot be saved");
    if (fault == Fault::crashes_in_save) ::raise(SIGSEGV);
    archive(fault);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(fault);
    if (fault == Fault::throws_in_load) throw std::runtime_error("cannot be loaded");
    if (fault == Fault::crashes_in_load) ::raise(SIGSEGV);
  }
};

inline int fault_of(const Faulty& faulty) { return static_cast<int>(faulty.fault); }
inline Faulty faulty_result(Fault fault) { return {fault}; }

}  // namespace muster::conformance
