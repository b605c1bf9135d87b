// tenure memcheck -- PROGRAM ARGS: runs any program that is linked with Tenure, with the judge of its ticks awake, and reads the verdict.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "commands.h"

namespace cli {

using namespace tenure;
using nlohmann::ordered_json;

namespace {

struct Suppression {
  std::string until, reason;
  bool used = false;
};
using Suppressions = std::map<std::string, Suppression>;

std::string today() {
  std::time_t t = std::time(nullptr);
  std::tm tm{};
  gmtime_r(&t, &tm);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &tm)};
}

// Lines of "SIGNATURE YYYY-MM-DD reason"; '#' begins a remark. The date is the last day on which the line counts.
Suppressions read_suppressions(const std::string& path) {
  Suppressions out;
  if (path.empty()) return out;
  std::ifstream in(path);
  if (!in) throw Error(Code::Io, fmt::format("memcheck: {}: there is no such file, or it cannot be read", path));
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    std::istringstream words(line);
    std::string signature;
    Suppression s;
    if (!(words >> signature) || signature[0] == '#') continue;
    words >> s.until >> std::ws;
    std::getline(words, s.reason);
    bool date = s.until.size() == 10 && s.until[4] == '-' && s.until[7] == '-';
    if (signature.size() != 8 || !date || s.reason.empty())
      throw Error(Code::InvalidArgument, fmt::format("memcheck: {}:{}: expected 'SIGNATURE YYYY-MM-DD reason', got '{}'", path, number, line));
    out[signature] = s;
  }
  return out;
}

// Runs the program, with its own output where ours goes (or to the error stream). Its exit status, or -1 where it could not be started.
int run(const std::vector<std::string>& program, bool quiet) {
  std::vector<char*> argv;
  for (const std::string& word : program) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (quiet) posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) throw Error(Code::NotFound, fmt::format("memcheck: {} could not be started: {}", program[0], std::strerror(failed)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

// Takes suppressed cards out of the judgement. The exit code that is left.
int judge(ordered_json& v, Suppressions& suppressions) {
  bool leak = false, open = false, any = false;
  for (ordered_json& point : v["points"]) {
    bool decides = point["decides"], all = !point["cards"].empty();
    any |= decides;
    for (ordered_json& card : point["cards"]) {
      auto it = suppressions.find(card["signature"].get<std::string>());
      bool holds = it != suppressions.end() && it->second.until >= today();
      if (it != suppressions.end()) it->second.used = true;
      if (holds) card["suppressed"] = it->second.reason;
      all &= holds;
    }
    if (!decides || all) continue;
    leak |= point["verdict"] == "leak", open |= point["verdict"] == "inconclusive";
  }
  int exit = leak || !v["audit"]["ok"].get<bool>() ? 1 : open || !any ? 2 : 0;
  v["exit"] = exit, v["verdict"] = exit == 1 ? "leak" : exit == 2 ? "inconclusive" : "clean";
  for (auto& [signature, s] : suppressions) {
    const char* state = s.until < today() ? "expired" : s.used ? "used" : "unused";
    v["suppressions"].push_back({{"signature", signature}, {"until", s.until}, {"reason", s.reason}, {"state", state}});
  }
  return exit;
}

void print(const ordered_json& v, const std::string& name) {
  fmt::print("memcheck of {}: {}\n", name, v["verdict"].get<std::string>());
  bool any = false;
  for (const ordered_json& p : v["points"]) {
    any |= p["decides"].get<bool>();
    if (p["verdict"] == "too few ticks") {
      fmt::print("  {:<12} {:>8} ticks  too few to judge\n", p["name"].get<std::string>(), p["ticks"].get<int64_t>());
      continue;
    }
    fmt::print("  {:<12} {:>8} ticks  {}{}{}; surely seen: one object in {} ticks", p["name"].get<std::string>(), p["ticks"].get<int64_t>(),
               p["verdict"].get<std::string>(),
               p["confirmed"].get<bool>() ? ", confirmed"
               : p["verdict"] == "leak"   ? ", not confirmed at 4 times as many"
                                          : "",
               p["filling"].get<bool>() ? ", a bounded container is filling" : "", p["resolution_ticks"].get<int64_t>());
    fmt::print("; RSS {:+.0f} bytes a tick [{:.0f}, {:.0f}]\n", p["rss"]["slope"].get<double>(), p["rss"]["low"].get<double>(),
               p["rss"]["high"].get<double>());
    // Short runs still warm up.
    if (p["verdict"] == "clean" && p["rss"]["low"].get<double>() > 64 && p["ticks"].get<int64_t>() >= 4 * v["iters"].get<int64_t>())
      fmt::print("    warning: resident memory rises though counts do not: not tensors, but other memory of the program or of an allocator\n");
  }
  if (!any)
    fmt::print("  no point was reached often enough: {} ticks are wanted after {} of warm-up; --iters and --warmup set them\n",
               v["iters"].get<int64_t>(), v["warmup"].get<int64_t>());
  for (const ordered_json& p : v["points"])
    for (const ordered_json& c : p["cards"]) {
      fmt::print("\n{}", c["text"].get<std::string>());
      if (c.contains("suppressed")) fmt::print("suppressed: {}\n", c["suppressed"].get<std::string>());
    }
  if (v.contains("suppressions"))
    for (const ordered_json& s : v["suppressions"])
      if (s["state"] != "used")
        fmt::print("suppression of {} ({}): {}\n", s["signature"].get<std::string>(), s["reason"].get<std::string>(),
                   s["state"] == "expired" ? "expired on " + s["until"].get<std::string>() + " and ignored" : "of no use any more");
  const ordered_json& a = v["audit"];
  fmt::print("audit of {} objects, {} references at the end: {}\n", a["objects"].get<size_t>(), a["edges"].get<size_t>(),
             a["ok"].get<bool>() ? "every owner reference is explained" : "unexplained references");
  for (const ordered_json& problem : a["problems"]) fmt::print("  {}\n", problem.get<std::string>());
}

}  // namespace

int check_program(const ProgramCheck& c) {
  Suppressions suppressions = read_suppressions(c.suppress);
  std::string file = (std::filesystem::temp_directory_path() / "tenure-memcheck-XXXXXX").string();
  int fd = mkstemp(file.data());
  if (fd < 0) throw Error(Code::Io, "memcheck: no temporary file could be made for the verdict");
  close(fd);
  std::filesystem::remove(file);  // the program writes it anew; what is not there was not written
  setenv("TENURE_MEMCHECK", file.c_str(), 1);
  setenv("TENURE_MEMCHECK_ITERS", std::to_string(c.iters).c_str(), 1);
  setenv("TENURE_MEMCHECK_WARMUP", std::to_string(c.warmup).c_str(), 1);
  std::fflush(stdout);
  bool to_stdout = c.json == "-";
  int status = run(c.program, to_stdout);
  std::ifstream in(file);
  ordered_json v = in ? ordered_json::parse(in, nullptr, false) : ordered_json();
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  const std::string& name = c.program[0];
  if (WIFSIGNALED(status)) throw Error(Code::Unsupported, fmt::format("memcheck: {} was ended by signal {}; no verdict", name, WTERMSIG(status)));
  if (WEXITSTATUS(status) == 127 && !v.is_object()) throw Error(Code::NotFound, fmt::format("memcheck: {} could not be run", name));
  if (WEXITSTATUS(status) != 0)
    throw Error(Code::Unsupported, fmt::format("memcheck: {} failed with exit code {}; no verdict", name, WEXITSTATUS(status)));
  if (!v.is_object())
    throw Error(
        Code::Unsupported,
        fmt::format("memcheck: {} left no verdict: it is not linked with Tenure's fit, predict or memory::tick(), or it left by _exit()", name));
  v["program"] = c.program;
  int exit = judge(v, suppressions);
  std::string text = v.dump(1, ' ', false, ordered_json::error_handler_t::replace);
  if (to_stdout) fmt::print("{}\n", text);
  else print(v, name);
  if (!to_stdout && !c.json.empty() && !(std::ofstream(c.json) << text << '\n'))
    throw Error(Code::Io, fmt::format("memcheck: expected to write {}, but the file cannot be written", c.json));
  return exit;
}

}  // namespace cli
