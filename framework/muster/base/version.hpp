#pragma once

namespace muster {

inline constexpr const char* version_text = "1.0.0";

}  // namespace muster
