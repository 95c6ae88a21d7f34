#pragma once

namespace muster::testing {

/// A call whose result says what it was given.
inline int square(int x) { return x * x; }

}  // namespace muster::testing
