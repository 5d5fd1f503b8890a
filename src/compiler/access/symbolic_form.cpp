#include "compiler/access/symbolic_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace guda::access {
namespace {

/// Product of nodes that are not taken apart, ascending.
using Monomial = std::vector<int32_t>;

/// Sum of monomials with coefficients; extensions and guards are looked through.
class Polynomial {
 public:
  static Polynomial constant(int64_t value) {
    Polynomial result;
    if (value != 0) result.terms_[{}] = value;
    return result;
  }
  static Polynomial leaf(int32_t node) {
    Polynomial result;
    result.terms_[{node}] = 1;
    return result;
  }
  const std::map<Monomial, int64_t>& terms() const { return terms_; }
  bool is_zero() const { return terms_.empty(); }
  bool is_constant() const {
    return terms_.empty() || (terms_.size() == 1 && terms_.begin()->first.empty());
  }
  int64_t constant_part() const {
    const auto found = terms_.find({});
    return found == terms_.end() ? 0 : found->second;
  }

  Polynomial& add(const Polynomial& other, int64_t factor) {
    for (const auto& [monomial, coefficient] : other.terms_) {
      int64_t& mine = terms_[monomial];
      mine +=
          static_cast<int64_t>(static_cast<uint64_t>(coefficient) * static_cast<uint64_t>(factor));
      if (mine == 0) terms_.erase(monomial);
    }
    return *this;
  }
  friend Polynomial operator*(const Polynomial& a, const Polynomial& b) {
    Polynomial result;
    for (const auto& [left, x] : a.terms_) {
      for (const auto& [right, y] : b.terms_) {
        Monomial product = left;
        product.insert(product.end(), right.begin(), right.end());
        std::sort(product.begin(), product.end());
        Polynomial one;
        one.terms_[product] =
            static_cast<int64_t>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
        result.add(one, 1);
      }
    }
    return result;
  }
  friend Polynomial operator-(Polynomial a, const Polynomial& b) { return a.add(b, -1); }
  friend bool operator==(const Polynomial&, const Polynomial&) = default;

 private:
  std::map<Monomial, int64_t> terms_;
};

constexpr size_t kMostMonomials = 64;

class Forms {
 public:
  explicit Forms(const AccessSummary& summary) : summary_(summary) {
    for (size_t i = 0; i < summary.nodes.size(); ++i)
      forms_.push_back(form_of(static_cast<int32_t>(i)));
  }
  const Polynomial& operator[](int32_t node) const { return forms_[static_cast<size_t>(node)]; }
  const Node& node(int32_t index) const { return summary_.nodes[static_cast<size_t>(index)]; }

 private:
  Polynomial form_of(int32_t index) const {
    const Node& n = node(index);
    const auto combined = [&](int64_t factor) {
      Polynomial result = (*this)[n.a];
      return result.add((*this)[n.b], factor);
    };
    Polynomial result;
    switch (n.op) {
      case Op::constant: return Polynomial::constant(n.value);
      case Op::add: result = combined(1); break;
      case Op::subtract: result = combined(-1); break;
      case Op::multiply: {
        const Polynomial &a = (*this)[n.a], &b = (*this)[n.b];
        if (a.terms().size() * b.terms().size() > kMostMonomials) return Polynomial::leaf(index);
        result = a * b;
        break;
      }
      case Op::sign_extend:
      case Op::zero_extend:
      case Op::truncate:
      case Op::clamp:
      case Op::loop_value: return (*this)[n.a];
      default: return Polynomial::leaf(index);
    }
    return result.terms().size() > kMostMonomials ? Polynomial::leaf(index) : result;
  }

  const AccessSummary& summary_;
  std::vector<Polynomial> forms_;
};

// --- text -----------------------------------------------------------------------------------------

class Describer {
 public:
  Describer(const AccessSummary& summary, const ParameterName& name)
      : summary_(summary), name_(name), forms_(summary) {}

  std::string sum(int32_t node, int depth = 0) const {
    if (depth > 6) return "...";
    std::string text;
    // Addresses first, constants last.
    std::vector<std::pair<Monomial, int64_t>> terms(forms_[node].terms().begin(),
                                                    forms_[node].terms().end());
    std::stable_sort(terms.begin(), terms.end(), [](const auto& a, const auto& b) {
      return a.first.empty() < b.first.empty();
    });
    for (const auto& [monomial, coefficient] : terms) {
      const bool negative = coefficient < 0;
      const uint64_t size =
          negative ? 0 - static_cast<uint64_t>(coefficient) : static_cast<uint64_t>(coefficient);
      text += text.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
      std::string product = size == 1 && !monomial.empty() ? "" : fmt::format("{}", size);
      for (const int32_t leaf : monomial) {
        if (!product.empty()) product += '*';
        product += leaf_text(leaf, depth);
      }
      text += product;
    }
    return text.empty() ? "0" : text;
  }

  /// The guards under a node, "a < b" each.
  void guards(int32_t node, std::vector<std::string>& out, int depth = 0) const {
    if (node < 0 || depth > 24 || out.size() >= 4) return;
    const Node& n = forms_.node(node);
    if (n.op == Op::clamp) {
      std::string text = fmt::format("{} {} {}", sum(n.a, 3), sign(n.relation), sum(n.b, 3));
      if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
    }
    if (n.op == Op::trip || n.op == Op::iterate) return;
    guards(n.a, out, depth + 1);
    if (n.op != Op::clamp && n.op != Op::loop_value) guards(n.b, out, depth + 1);
  }

 private:
  static std::string_view sign(Relation relation) {
    switch (relation) {
      case Relation::equal: return "=";
      case Relation::not_equal: return "!=";
      case Relation::less_signed:
      case Relation::less_unsigned: return "<";
      case Relation::less_equal_signed:
      case Relation::less_equal_unsigned: return "<=";
      case Relation::greater_signed:
      case Relation::greater_unsigned: return ">";
      case Relation::greater_equal_signed:
      case Relation::greater_equal_unsigned: return ">=";
    }
    return "?";
  }

  std::string binary(const Node& n, std::string_view symbol, int depth) const {
    return fmt::format("({} {} {})", sum(n.a, depth + 1), symbol, sum(n.b, depth + 1));
  }
  std::string call(std::string_view function, const Node& n, int depth) const {
    return fmt::format("{}({}, {})", function, sum(n.a, depth + 1), sum(n.b, depth + 1));
  }

  std::string leaf_text(int32_t leaf, int depth) const {
    const Node& n = forms_.node(leaf);
    const auto axis = [&](std::string_view name) {
      return fmt::format("{}.{}", name, "xyz"[n.value]);
    };
    switch (n.op) {
      case Op::parameter: return name_(static_cast<uint32_t>(n.value));
      case Op::variable: return summary_.variables[static_cast<size_t>(n.value)];
      case Op::tid: return axis("tid");
      case Op::ctaid: return axis("ctaid");
      case Op::ntid: return axis("ntid");
      case Op::nctaid: return axis("nctaid");
      case Op::unknown:
      case Op::bounded: return "?";
      case Op::own_memory: return "own memory";
      case Op::divide_unsigned:
      case Op::divide_signed: return binary(n, "/", depth);
      case Op::remainder_unsigned:
      case Op::remainder_signed: return binary(n, "%", depth);
      case Op::shift_right_signed: return fmt::format("({} >> {})", sum(n.a, depth + 1), n.value);
      case Op::bit_and: return binary(n, "&", depth);
      case Op::bit_or: return binary(n, "|", depth);
      case Op::bit_xor: return binary(n, "^", depth);
      case Op::minimum_signed:
      case Op::minimum_unsigned: return call("min", n, depth);
      case Op::maximum_signed:
      case Op::maximum_unsigned: return call("max", n, depth);
      case Op::join: return fmt::format("({} or {})", sum(n.a, depth + 1), sum(n.b, depth + 1));
      case Op::iterate: return fmt::format("k{}", n.value);
      case Op::multiply: return binary(n, "*", depth);
      default: return binary(n, "+", depth);
    }
  }

  const AccessSummary& summary_;
  const ParameterName& name_;
  Forms forms_;
};

// --- what holds for all arguments -----------------------------------------------------------------

/// Terms of an address by what they move with.
struct BlockForm {
  Polynomial step;  // coefficient of the block index
  Polynomial span;  // what the terms of one block span, at most
  Polynomial rest;  // what is the same for all threads and blocks
  bool bounded = true;  // `span` says all
  bool linear = true;  // in the block index
};

class StaticProof {
 public:
  explicit StaticProof(const AccessSummary& summary)
      : summary_(summary), forms_(summary), dependence_(depends_on_blocks()) {
    for (const Node& node : summary.nodes)
      if (node.op == Op::ctaid) axis_ = std::max(axis_, static_cast<int>(node.value));
  }

  int axis() const { return axis_; }

  /// The accesses are to one pointer's memory.
  StaticVerdict verdict(const std::vector<const Access*>& accesses) const {
    const auto refused = [&](std::string why) {
      return StaticVerdict{Rung::refused, std::move(why), axis_};
    };
    const auto unproven = [&](std::string why) {
      return StaticVerdict{Rung::bounds, std::move(why), axis_};
    };
    const bool reduction = std::all_of(accesses.begin(), accesses.end(), [&](const Access* access) {
      return access->kind == AccessKind::atomic && access->combine != Combine::none &&
             access->combine == accesses.front()->combine &&
             access->bytes == accesses.front()->bytes;
    });
    StaticVerdict doubt{Rung::disjoint, {}, axis_};
    const auto lower = [&](StaticVerdict verdict) {
      if (verdict.rung > doubt.rung) doubt = std::move(verdict);
    };
    std::optional<BlockForm> first;
    int64_t low = 0, high = 0;
    for (const Access* access : accesses) {
      if (access->address < 0) {
        lower(refused("an address that depends on data in memory"));
        continue;
      }
      const BlockForm form = block_form(forms_[access->address]);
      if (!form.linear) {
        lower(unproven("an address must be linear in the block index"));
      } else if (form.step.is_zero()) {
        lower(refused(access->kind == AccessKind::read ? "every block reads what one block writes"
                                                       : "blocks write the same memory"));
      } else if (!form.bounded) {
        lower(unproven("rows must not overlap"));
      } else {
        if (!first) first = form;
        const Polynomial apart = form.rest - first->rest;
        if (!(form.step == first->step) || !apart.is_constant()) {
          lower(unproven("several accesses to the same memory must not meet"));
          continue;
        }
        low = std::min(low, apart.constant_part());
        high = std::max(high, apart.constant_part() + access->bytes);
        Polynomial room = form.step - form.span;
        room.add(Polynomial::constant(high - low), -1);
        if (!never_negative(room))
          lower(unproven("a block's memory must end before the next one's"));
      }
    }
    if (doubt.rung == Rung::refused && reduction) return {Rung::reduction, {}, axis_};
    return doubt;
  }

 private:
  std::vector<bool> depends_on_blocks() const {
    std::vector<bool> result;
    for (const Node& node : summary_.nodes) {
      bool depends = node.op == Op::ctaid;
      for (const int32_t operand : {node.a, node.b, node.c})
        if (operand >= 0 && node.op != Op::iterate)
          depends = depends || result[static_cast<size_t>(operand)];
      result.push_back(depends);
    }
    return result;
  }

  /// The same in all threads of a launch.
  bool uniform(int32_t leaf) const {
    switch (forms_.node(leaf).op) {
      case Op::parameter:
      case Op::variable:
      case Op::ntid:
      case Op::nctaid:
      case Op::constant: return true;
      default: return false;
    }
  }

  Polynomial extent(Op op, int64_t axis) const {
    for (size_t i = 0; i < summary_.nodes.size(); ++i)
      if (summary_.nodes[i].op == op && summary_.nodes[i].value == axis)
        return Polynomial::leaf(static_cast<int32_t>(i));
    if (op == Op::ntid && summary_.block[0] != 0)
      return Polynomial::constant(summary_.block[static_cast<size_t>(axis)]);
    return {};  // not named by the kernel: unknown
  }

  BlockForm block_form(const Polynomial& address) const {
    BlockForm form;
    // Coefficient polynomials of everything that varies.
    std::map<int32_t, Polynomial> varying;
    for (const auto& [monomial, coefficient] : address.terms()) {
      Polynomial factor = Polynomial::constant(coefficient);
      int32_t moving = -1;
      for (const int32_t leaf : monomial) {
        if (uniform(leaf)) {
          factor = factor * Polynomial::leaf(leaf);
        } else if (moving < 0) {
          moving = leaf;
        } else {
          form.bounded = false;
          form.linear = form.linear && !dependence_[static_cast<size_t>(leaf)] &&
                        !dependence_[static_cast<size_t>(moving)];
        }
      }
      if (moving < 0) {
        form.rest.add(factor, 1);
      } else {
        varying[moving].add(factor, 1);
      }
    }
    for (const auto& [leaf, factor] : varying) {
      const Node& node = forms_.node(leaf);
      if (node.op == Op::ctaid && node.value == axis_) form.step = factor;
    }
    for (const auto& [leaf, factor] : varying) {
      const Node& node = forms_.node(leaf);
      if (node.op == Op::ctaid && node.value == axis_) continue;
      if (node.op == Op::tid || node.op == Op::ctaid) {
        const Polynomial limit = extent(node.op == Op::tid ? Op::ntid : Op::nctaid, node.value);
        if (limit.is_zero() || !never_negative(factor)) {
          form.bounded = false;
          continue;
        }
        form.span.add(factor * (limit - Polynomial::constant(1)), 1);
      } else if (node.op == Op::iterate) {
        // The next round of a loop over the whole grid starts where all blocks end.
        const Polynomial blocks = extent(Op::nctaid, axis_);
        if (blocks.is_zero() || !never_negative(factor - form.step * blocks)) form.bounded = false;
      } else if (node.op == Op::bounded && factor.is_constant() && factor.constant_part() > 0) {
        form.span.add(Polynomial::constant(node.value), factor.constant_part());
      } else {
        form.bounded = false;
        if (dependence_[static_cast<size_t>(leaf)]) form.linear = false;
      }
    }
    return form;
  }

  /// For all block and grid dimensions of at least 1. Parameters may be anything.
  bool never_negative(const Polynomial& value) const {
    Polynomial shifted;
    for (const auto& [monomial, coefficient] : value.terms()) {
      Polynomial product = Polynomial::constant(coefficient);
      for (const int32_t leaf : monomial) {
        const Op op = forms_.node(leaf).op;
        if (op != Op::ntid && op != Op::nctaid) return false;
        Polynomial one_more = Polynomial::leaf(leaf);
        product = product * one_more.add(Polynomial::constant(1), 1);
      }
      shifted.add(product, 1);
    }
    return std::all_of(shifted.terms().begin(), shifted.terms().end(),
                       [](const auto& term) { return term.second >= 0; });
  }

  const AccessSummary& summary_;
  Forms forms_;
  std::vector<bool> dependence_;
  int axis_ = 0;
};

}  // namespace

std::string describe(const AccessSummary& summary, const Access& access,
                     const ParameterName& name) {
  const std::string root = access.root == Root::parameter  ? name(access.root_index)
                           : access.root == Root::variable ? summary.variables[access.root_index]
                                                           : "memory";
  if (access.address < 0) return "anywhere in " + root;
  const Describer describer(summary, name);
  std::string text = describer.sum(access.address);
  std::vector<std::string> guards;
  describer.guards(access.address, guards);
  std::string_view separator = ", where ";
  for (const std::string& guard : guards) {
    text += separator;
    text += guard;
    separator = " and ";
  }
  return text;
}

StaticVerdict static_verdict(const AccessSummary& summary) {
  const StaticProof proof(summary);
  if (const char* why = static_refusal(summary)) return {Rung::refused, why, proof.axis()};
  std::map<std::pair<Root, uint32_t>, std::vector<const Access*>> by_root;
  for (const Access& access : summary.accesses)
    by_root[{access.root, access.root_index}].push_back(&access);
  StaticVerdict worst{Rung::disjoint, {}, proof.axis()};
  for (const auto& [root, accesses] : by_root) {
    const bool only_reads = std::all_of(accesses.begin(), accesses.end(), [](const Access* access) {
      return access->kind == AccessKind::read;
    });
    if (only_reads) continue;
    StaticVerdict verdict = proof.verdict(accesses);
    if (verdict.rung > worst.rung) worst = std::move(verdict);
  }
  return worst;
}

}  // namespace guda::access
