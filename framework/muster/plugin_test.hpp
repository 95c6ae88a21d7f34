#pragma once

/// What the tests of a plugin include, beside the plugin's own source: runs a task over a text in
/// this process. See muster/sdk/testing.hpp.

#include <muster/sdk/testing.hpp>
