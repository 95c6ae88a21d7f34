# Doxygen's view of the headers: what says all by its form needs no words of its own there.
s/^.* = default;$//
s|^  explicit [A-Za-z]*Error(|  /** For those who throw it. */ &|
s|^  std::default_sentinel_t end()|  /** What begin() arrives at when there is nothing left. */ &|
s|^  [A-Za-z]*& operator=([A-Za-z]*&& other) noexcept {|  /** Takes over what the other holds. */ &|
s|^  void execute(detail::TaskPtr task) override;|  /** What submit() ends in, for executors that wrap this one. Throws as it does. */ &|
