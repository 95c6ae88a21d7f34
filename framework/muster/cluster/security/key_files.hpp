#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <muster/transport/curve.hpp>

namespace muster::cluster {

/// Makes NAME.key (mode 0600) and NAME.pub (0644) in a directory, which is made if it is missing.
/// Never replaces a key: Error(usage) if there is one. Throws Error(io).
transport::CurveKeyPair make_key_files(const std::filesystem::path& directory,
                                       const std::string& name);

/// Throws Error(usage) of a file that others may read, that holds no key, or one that is published
/// in ZeroMQ's manual; Error(io).
transport::CurveKeyPair read_key_file(const std::filesystem::path& path);
std::string read_public_key(const std::filesystem::path& path);
/// Error(usage) of a text that is no public key, or a published one; `where` is named.
void require_public_key(std::string_view key, const std::filesystem::path& where);
void write_public_key(const std::filesystem::path& path, const std::string& name,
                      const std::string& public_key);

/// What a worker or a client needs: its own keys, and coordinator.pub beside them. `path` is a key
/// file, or a directory that holds NAME.key.
transport::DialerKeys read_dialer_keys(const std::filesystem::path& path, const std::string& name);

/// What task processes of a worker with that --keys must not see: the directory, or, of a key file,
/// all secret keys beside it; and what symbolic links of such names lead to. Canonical; empty if
/// there is nothing.
std::vector<std::filesystem::path> secret_paths(const std::filesystem::path& keys);

/// 1 to 64 letters, digits, dots, dashes and underscores; no dot in front. Error(usage) otherwise.
void require_key_name(std::string_view name);

}  // namespace muster::cluster
