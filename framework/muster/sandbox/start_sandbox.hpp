#pragma once

#include <string>

#include <muster/sandbox/kernel_support.hpp>
#include <muster/sandbox/sandbox_rules.hpp>

namespace muster::sandbox {

/// What a program found out at its start.
struct StartedSandbox {
  SandboxRules rules;     ///< what task processes are held to, without the places of single tasks
  KernelSupport support;  ///< what of the sandbox works here
};

/// Finds out what works, by trying: a child enters the sandbox of `rules` and looks whether what is
/// hidden is hidden, and whether it could signal this process. What fails is left out of the rules
/// and noted in `support`. `mode` is best_effort or require; the latter throws Error(usage) that
/// names everything that does not work. Throws Error(usage) of rules that contradict themselves.
StartedSandbox start_sandbox(SandboxMode mode, SandboxRules rules);

/// As start_sandbox(), with a kernel that supports no more than this: for tests.
StartedSandbox start_sandbox(SandboxMode mode, SandboxRules rules, KernelSupport support);

/// For the log, in a line: what is enforced, what is not and why.
std::string describe(const StartedSandbox& started);

}  // namespace muster::sandbox
