// The vector kernels over a Simd<R> that the including file defines for its instruction set:
//   V                   a vector of `lanes` reals, with GCC's vector operators
//   load(p), load(p, n), store(p, v), store(p, v, n)   whole, and the first n lanes only
//   load_masked(p, mask), store_masked(p, v, mask)     lanes of a Mask only
//   select(mask, a, b)  a in lanes of the mask, else b
//   SlopedMask          the masks of columns each of which begins or ends later than the one before
//   sum(v), sum_eight(v, sums), sum_pairs(v, sums)     of the lanes; even and odd ones apart
//   swap_pairs(v)       exchanges neighbours (real and imaginary parts)
//   max(a, b), min(a, b)   b where a is NaN; count_equal(a, b)   lanes that compare equal
//   registers           how many the instruction set has
// Included once per instruction set inside an anonymous namespace: code compiled for one processor must not
// be what the linker keeps for all. For the same reason nothing here calls a library's inline function;
// complex vectors are vectors of reals, twice as long.

template <class T>
struct Element {
  using R = T;
  static constexpr bool complex = false;
  static constexpr int64_t reals = 1;
};
template <class T>
struct Element<std::complex<T>> {
  using R = T;
  static constexpr bool complex = true;
  static constexpr int64_t reals = 2;
};

template <class R>
typename Simd<R>::V broadcast(R value) {
  return typename Simd<R>::V{} + value;
}

// (even, odd, even, odd, ...)
template <class R>
typename Simd<R>::V alternate(R even, R odd) {
  typename Simd<R>::V v{};
  for (int i = 0; i < Simd<R>::lanes; i += 2) {
    v[i] = even;
    v[i + 1] = odd;
  }
  return v;
}

template <class R>
typename Simd<R>::V absolute(typename Simd<R>::V v) {
  using S = Simd<R>;
  return (typename S::V)((typename S::I)v & S::kAbsoluteMask);
}

// A factor t of a vector: t x.
template <class T>
struct Factor {
  using R = typename Element<T>::R;
  using V = typename Simd<R>::V;
  V straight, crossed;

  Factor() = default;
  explicit Factor(const T* t) {
    const auto* parts = reinterpret_cast<const R*>(t);
    if constexpr (Element<T>::complex) {
      straight = broadcast<R>(parts[0]);
      crossed = alternate<R>(-parts[1], parts[1]);
    } else {
      straight = broadcast<R>(parts[0]);
    }
  }
  V times(V x) const {
    if constexpr (Element<T>::complex) return straight * x + crossed * Simd<R>::swap_pairs(x);
    return straight * x;
  }
  V add_to(V sum, V x) const {
    if constexpr (Element<T>::complex) {
      sum += straight * x;
      return sum + crossed * Simd<R>::swap_pairs(x);
    }
    return sum + straight * x;
  }
};

// A running sum of op(a) x: for complex elements the products of like and of unlike parts.
template <class T>
struct DotSum {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  V like{}, unlike{};

  void add(V a, V x, V x_swapped) {
    like += a * x;
    if constexpr (Element<T>::complex) unlike += a * x_swapped;
  }
  // Of the rows that column c has.
  template <class Access>
  [[gnu::always_inline]] void add(const Access& access, int c, V a, V x, V x_swapped) {
    like = access.keep(c, like + a * x, like);
    if constexpr (Element<T>::complex) unlike = access.keep(c, unlike + a * x_swapped, unlike);
  }
  void add(const DotSum& other) {
    like += other.like;
    if constexpr (Element<T>::complex) unlike += other.unlike;
  }
  void store(bool conjugate, T* result) const {
    auto* parts = reinterpret_cast<R*>(result);
    if constexpr (Element<T>::complex) {
      R straight[2], crossed[2];
      S::sum_pairs(like, straight);
      S::sum_pairs(unlike, crossed);
      parts[0] = conjugate ? straight[0] + straight[1] : straight[0] - straight[1];
      parts[1] = conjugate ? crossed[0] - crossed[1] : crossed[0] + crossed[1];
    } else {
      parts[0] = S::sum(like);
    }
  }
};

// The results of several columns.
template <class T, int C>
void store_sums(const DotSum<T> (&sums)[C], bool conjugate, T* result) {
  if constexpr (!Element<T>::complex && C == 8) {
    typename DotSum<T>::V vectors[8];
#pragma GCC unroll 8
    for (int c = 0; c < 8; ++c) vectors[c] = sums[c].like;
    Simd<T>::sum_eight(vectors, result);
  } else if constexpr (!Element<T>::complex && C == 4) {
    typename DotSum<T>::V vectors[8] = {};
#pragma GCC unroll 8
    for (int c = 0; c < 4; ++c) vectors[c] = sums[c].like;
    T eight[8];
    Simd<T>::sum_eight(vectors, eight);
#pragma GCC unroll 8
    for (int c = 0; c < 4; ++c) result[c] = eight[c];
  } else {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sums[c].store(conjugate, result + c);
  }
}

template <class T>
typename Simd<typename Element<T>::R>::V swapped(typename Simd<typename Element<T>::R>::V x) {
  if constexpr (Element<T>::complex) return Simd<typename Element<T>::R>::swap_pairs(x);
  return x;
}

// How many columns a kernel takes at once, for the accumulators and factors that one column needs.
template <class T>
constexpr int kColumns = Element<T>::complex ? 4 : 8;
template <class T>
constexpr int kColumnsBoth =
    Simd<typename Element<T>::R>::registers < 32 ? (Element<T>::complex ? 2 : 4)
                                                 : (Element<T>::complex ? 4 : 8);

// Calls body(Width<columns>(), first column) for groups of at most `most` columns, larger groups first.
template <int most, class Body>
void for_column_groups(int64_t count, Body body) {
  int64_t c = 0;
  for (; c + most <= count; c += most) body(Width<most>(), c);
  if constexpr (most > 4) {
    if (c + 4 <= count) {
      body(Width<4>(), c);
      c += 4;
    }
  }
  if constexpr (most > 2) {
    if (c + 2 <= count) {
      body(Width<2>(), c);
      c += 2;
    }
  }
  for (; c < count; ++c) body(Width<1>(), c);
}

// Reals from p to the next whole vector in memory, which whole loads then do not straddle. 0 for short
// vectors, and where pairs would be torn.
template <class T>
int64_t lead_of(const void* p, int64_t reals) {
  using R = typename Element<T>::R;
  constexpr auto bytes = static_cast<uintptr_t>(sizeof(R)) * Simd<R>::lanes;
  const uintptr_t rest = reinterpret_cast<uintptr_t>(p) % bytes;
  if (rest == 0 || reals < 8 * Simd<R>::lanes || rest % sizeof(T) != 0) return 0;
  return static_cast<int64_t>((bytes - rest) / sizeof(R));
}

// Calls body(i, load, store) for each vector of n reals: a part of `lead` reals, whole vectors, and
// another part.
template <class R, class Body>
[[gnu::always_inline]] inline void for_vectors(int64_t n, int64_t lead, Body body) {
  using S = Simd<R>;
  using V = typename S::V;
  const auto part = [&](int64_t i, int64_t count) __attribute__((always_inline)) {
    body(
        i, [count](const R* p) __attribute__((always_inline)) { return S::load(p, count); },
        [count](R* p, V v) __attribute__((always_inline)) { S::store(p, v, count); });
  };
  if (lead > 0) part(0, lead);
  int64_t i = lead;
  for (; i + S::lanes <= n; i += S::lanes) {
    body(
        i, [](const R* p) __attribute__((always_inline)) { return S::load(p); },
        [](R* p, V v) __attribute__((always_inline)) { S::store(p, v); });
  }
  if (i < n) part(i, n - i);
}

// The same, also for short vectors: pieces of a triangle or band then all divide a vector that they store to
// in the same places, and read back what stands in one store.
template <class T>
int64_t grid_lead_of(const void* p) {
  using R = typename Element<T>::R;
  constexpr auto bytes = static_cast<uintptr_t>(sizeof(R)) * Simd<R>::lanes;
  const uintptr_t rest = reinterpret_cast<uintptr_t>(p) % bytes;
  if (rest == 0 || rest % sizeof(T) != 0) return 0;
  return static_cast<int64_t>((bytes - rest) / sizeof(R));
}

// The rows of a group of columns, some of which may begin later or end earlier than others.
struct SlantedRows {
  static constexpr bool slanted = true;
  Slant slant;
  int64_t m, count, group;  // the group's first column among `count`

  int64_t begin(int64_t c) const { return slant.top * (group + c) + slant.skip_top; }
  int64_t end(int64_t c) const {
    return m - slant.bottom * (count - 1 - group - c) - slant.skip_bottom;
  }
};
// The common case, for which nothing of that is computed.
struct AllRows {
  static constexpr bool slanted = false;
  int64_t m;

  static int64_t begin(int64_t) { return 0; }
  int64_t end(int64_t) const { return m; }
};

// Calls body(i, access) for each vector of m rows, where `access` loads and stores parts of x and y, and
// of a column c, without what the column does not have. access.keep(c, fresh, old): fresh where column c
// has rows, else old, so that no product with an infinity becomes a NaN elsewhere. Vectors are whole
// cache lines at `aligned`.
template <class T, int C, class Rows, class Body>
[[gnu::always_inline]] inline void for_rows(const Rows& rows, const void* aligned, Body body) {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  using Mask = typename S::Mask;
  struct Whole {
    [[gnu::always_inline]] static V load(int, const R* p) { return S::load(p); }
    [[gnu::always_inline]] static void store(int, R* p, V v) { S::store(p, v); }
    [[gnu::always_inline]] static V keep(int, V fresh, V) { return fresh; }
    [[gnu::always_inline]] static V load(const R* p) { return S::load(p); }
    [[gnu::always_inline]] static void store(R* p, V v) { S::store(p, v); }
  };
  struct Part {
    Mask rows;
    Mask columns[C];
    [[gnu::always_inline]] V load(int c, const R* p) const { return S::load_masked(p, columns[c]); }
    [[gnu::always_inline]] void store(int c, R* p, V v) const { S::store_masked(p, v, columns[c]); }
    [[gnu::always_inline]] V keep(int c, V fresh, V old) const {
      return Rows::slanted ? S::select(columns[c], fresh, old) : fresh;
    }
    [[gnu::always_inline]] V load(const R* p) const { return S::load_masked(p, rows); }
    [[gnu::always_inline]] void store(R* p, V v) const { S::store_masked(p, v, rows); }
  };
  constexpr int64_t reals = Element<T>::reals;
  const int64_t n = rows.m * reals;
  // Rows that all columns have.
  const int64_t whole_begin = rows.begin(C - 1) * reals, whole_end = rows.end(0) * reals;
  const auto part = [&](int64_t i, int64_t count) __attribute__((always_inline)) {
    const Mask all = typename S::SlopedMask(0, count, 0, 0).column(0);
    Part p;
    p.rows = all;
    if constexpr (Rows::slanted) {
      const int64_t first = rows.begin(0) * reals - i, last = rows.end(0) * reals - i;
      const typename S::SlopedMask sloped(first, last, rows.slant.top ? reals : 0,
                                          rows.slant.bottom ? reals : 0);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) p.columns[c] = sloped.column(c);
    } else {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) p.columns[c] = all;
    }
    body(i, p);
  };
  int64_t i = 0;
  const int64_t grid = Rows::slanted ? grid_lead_of<T>(aligned) : lead_of<T>(aligned, n);
  const int64_t lead = grid < n ? grid : n;
  if (lead > 0) {
    part(0, lead);
    i = lead;
  }
  for (;;) {
    if (i >= whole_begin)
      for (; i + S::lanes <= whole_end; i += S::lanes) body(i, Whole());
    if (i >= n) return;
    const int64_t count = n - i < S::lanes ? n - i : S::lanes;
    part(i, count);
    i += count;
  }
}

template <class T>
struct Kernels {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  static constexpr int64_t reals = Element<T>::reals;

  static const R* parts(const T* p) { return reinterpret_cast<const R*>(p); }
  static R* parts(T* p) { return reinterpret_cast<R*>(p); }

  // Calls body(i, load, store) as for_vectors does, four whole vectors in flight.
  template <class Body>
  [[gnu::always_inline]] static void for_vectors_unrolled(int64_t n, int64_t lead, Body body) {
    for_vectors<R>(lead, lead, body);
    int64_t i = lead;
    for (; i + 4 * S::lanes <= n; i += 4 * S::lanes) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u)
        body(
            i + u * S::lanes, [](const R* p) __attribute__((always_inline)) { return S::load(p); },
            [](R* p, V v) __attribute__((always_inline)) { S::store(p, v); });
    }
    for_vectors<R>(n - i, 0, [&](int64_t k, auto load, auto store) __attribute__((always_inline)) {
      body(i + k, load, store);
    });
  }

  static void axpy(int64_t n, const T* alpha, const T* x, T* y) {
    const Factor<T> factor(alpha);
    const R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(py, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           store(py + i, factor.add_to(load(py + i), load(px + i)));
                         });
  }

  static void axpby(int64_t n, const T* alpha, const T* x, const T* beta, T* y) {
    const Factor<T> a(alpha), b(beta);
    const R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(py, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           store(py + i, a.add_to(b.times(load(py + i)), load(px + i)));
                         });
  }

  static void scale(int64_t n, const T* alpha, T* x) {
    const Factor<T> factor(alpha);
    R* px = parts(x);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(px, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           store(px + i, factor.times(load(px + i)));
                         });
  }

  static void dot(bool conjugate, int64_t n, const T* x, const T* y, T* result) {
    constexpr int unroll = Element<T>::complex ? 4 : 8;
    const R* px = parts(x);
    const R* py = parts(y);
    n *= reals;
    DotSum<T> sums[unroll];
    const auto add_first = [&](int64_t k, auto load, auto) __attribute__((always_inline)) {
      const V v = load(py + k);
      sums[0].add(load(px + k), v, swapped<T>(v));
    };
    const int64_t lead = lead_of<T>(px, n);
    for_vectors<R>(lead, lead, add_first);
    int64_t i = lead;
    for (; i + unroll * S::lanes <= n; i += unroll * S::lanes) {
#pragma GCC unroll 8
      for (int u = 0; u < unroll; ++u) {
        const V v = S::load(py + i + u * S::lanes);
        sums[u].add(S::load(px + i + u * S::lanes), v, swapped<T>(v));
      }
    }
    px += i;
    py += i;
    for_vectors<R>(n - i, 0, add_first);
    for (int half = unroll / 2; half > 0; half /= 2)
      for (int u = 0; u < half; ++u) sums[u].add(sums[u + half]);
    sums[0].store(conjugate, result);
  }

  template <class Term>
  static R sum_of(int64_t n, const T* x, Term term) {
    const R* px = parts(x);
    n *= reals;
    V sums[8] = {};
    const auto add_first = [&](int64_t k, auto load, auto) __attribute__((always_inline)) {
      sums[0] = term(sums[0], load(px + k));
    };
    const int64_t lead = lead_of<T>(px, n);
    for_vectors<R>(lead, lead, add_first);
    int64_t i = lead;
    for (; i + 8 * S::lanes <= n; i += 8 * S::lanes) {
#pragma GCC unroll 8
      for (int u = 0; u < 8; ++u) sums[u] = term(sums[u], S::load(px + i + u * S::lanes));
    }
    px += i;
    for_vectors<R>(n - i, 0, add_first);
    for (int half = 4; half > 0; half /= 2)
      for (int u = 0; u < half; ++u) sums[u] += sums[u + half];
    return S::sum(sums[0]);
  }
  static R sum_absolute(int64_t n, const T* x) {
    return sum_of(n, x, [](V sum, V v) { return sum + absolute<R>(v); });
  }
  static R sum_squares(int64_t n, const T* x) {
    return sum_of(n, x, [](V sum, V v) { return sum + v * v; });
  }

  static R magnitude(const R* p) {
    const R re = p[0] < 0 ? -p[0] : p[0];
    if constexpr (!Element<T>::complex) return re;
    const R im = p[1] < 0 ? -p[1] : p[1];
    return re + im;
  }
  static V magnitude(V v) {
    v = absolute<R>(v);
    if constexpr (Element<T>::complex) v += S::swap_pairs(v);
    return v;
  }
  // The best value block by block, then its first place within the first block that has it.
  template <bool largest>
  static int64_t index_extreme(int64_t n, const T* x) {
    constexpr int unroll = 8;
    constexpr int64_t block = 4 * unroll * S::lanes;
    const auto better = [](R a, R b) { return largest ? a > b : a < b; };
    // A NaN among the new values loses.
    const auto best_of = [](V fresh, V old) __attribute__((always_inline)) {
      return largest ? S::max(fresh, old) : S::min(fresh, old);
    };
    const R* px = parts(x);
    const R limit = largest ? R(-1) : S::kInfinity;
    n *= reals;
    R best = magnitude(px);
    if (best != best) return 0;
    int64_t best_block = 0;
    for (int64_t start = 0; start < n; start += block) {
      const int64_t length = n - start < block ? n - start : block;
      const R* p = px + start;
      V v[unroll];
      for (int u = 0; u < unroll; ++u) v[u] = broadcast<R>(limit);
      int64_t i = 0;
      for (; i + unroll * S::lanes <= length; i += unroll * S::lanes) {
#pragma GCC unroll 8
        for (int u = 0; u < unroll; ++u)
          v[u] = best_of(magnitude(S::load(p + i + u * S::lanes)), v[u]);
      }
      for (; i + S::lanes <= length; i += S::lanes) v[0] = best_of(magnitude(S::load(p + i)), v[0]);
      for (int half = unroll / 2; half > 0; half /= 2)
        for (int u = 0; u < half; ++u) v[u] = best_of(v[u], v[u + half]);
      if (S::count_equal(best_of(v[0], broadcast<R>(best)), broadcast<R>(best)) < S::lanes) {
        R extreme = limit;
        for (int lane = 0; lane < S::lanes; ++lane)
          if (better(v[0][lane], extreme)) extreme = v[0][lane];
        best = extreme;
        best_block = start;
      }
      for (; i < length; i += reals) {
        const R m = magnitude(p + i);
        if (better(m, best)) {
          best = m;
          best_block = start;
        }
      }
    }
    int64_t i = best_block;
    while (i + S::lanes <= n && S::count_equal(magnitude(S::load(px + i)), broadcast<R>(best)) == 0)
      i += S::lanes;
    for (; i < n; i += reals)
      if (magnitude(px + i) == best) return i / reals;
    return 0;
  }
  static int64_t index_largest(int64_t n, const T* x) { return index_extreme<true>(n, x); }
  static int64_t index_smallest(int64_t n, const T* x) { return index_extreme<false>(n, x); }

  static void swap(int64_t n, T* x, T* y) {
    R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(px, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           const V a = load(px + i), b = load(py + i);
                           store(px + i, b);
                           store(py + i, a);
                         });
  }

  static void rotate(int64_t n, T* x, T* y, const R* h) {
    const V h11 = broadcast<R>(h[0]), h12 = broadcast<R>(h[1]);
    const V h21 = broadcast<R>(h[2]), h22 = broadcast<R>(h[3]);
    R* px = parts(x);
    R* py = parts(y);
    n *= reals;
    for_vectors_unrolled(n, lead_of<T>(px, n),
                         [&](int64_t i, auto load, auto store) __attribute__((always_inline)) {
                           const V a = load(px + i), b = load(py + i);
                           store(px + i, h11 * a + h12 * b);
                           store(py + i, h21 * a + h22 * b);
                         });
  }

  template <int C>
  struct Group {
    R* columns[C];
    template <class P>
    explicit Group(P* const* a) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) columns[c] = parts(const_cast<T*>(a[c]));
    }
  };

  // Slanted pieces follow the vector that they store to, rectangles the columns, which are more.
  template <class Rows>
  static const R* grid_of(const Rows&, const R* y, const R* column) {
    return Rows::slanted ? y : column;
  }

  template <int C, class Rows>
  static void add_group(const Rows& rows, const T* const* a, const T* t, T* y) {
    Factor<T> factors[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) factors[c] = Factor<T>(t + c);
    const Group<C> group(a);
    R* py = parts(y);
    for_rows<T, C>(rows, grid_of(rows, py, group.columns[0]),
                   [&](int64_t i, auto access) __attribute__((always_inline)) {
                     V sum = access.load(py + i);
#pragma GCC unroll 8
                     for (int c = 0; c < C; ++c) {
                       const V element = access.load(c, group.columns[c] + i);
                       sum = access.keep(c, factors[c].add_to(sum, element), sum);
                     }
                     access.store(py + i, sum);
                   });
  }
  static void add_columns(Slant slant, int64_t m, int64_t count, const T* const* a, const T* t,
                          T* y) {
    for_column_groups<kColumns<T>>(count, [&]<int C>(Width<C>, int64_t c) {
      if (slant.any())
        add_group<C>(SlantedRows{slant, m, count, c}, a + c, t + c, y);
      else
        add_group<C>(AllRows{m}, a + c, t + c, y);
    });
  }

  template <int C, class Rows>
  static void dot_group(const Rows& rows, bool conjugate, const T* const* a, const T* x,
                        T* result) {
    DotSum<T> sums[C];
    const Group<C> group(a);
    const R* px = parts(x);
    for_rows<T, C>(rows, group.columns[0],
                   [&](int64_t i, auto access) __attribute__((always_inline)) {
                     const V v = access.load(px + i), v_swapped = swapped<T>(v);
#pragma GCC unroll 8
                     for (int c = 0; c < C; ++c)
                       sums[c].add(access, c, access.load(c, group.columns[c] + i), v, v_swapped);
                   });
    store_sums<T, C>(sums, conjugate, result);
  }
  static void dot_columns(Slant slant, bool conjugate, int64_t m, int64_t count, const T* const* a,
                          const T* x, T* sums) {
    for_column_groups<kColumns<T>>(count, [&]<int C>(Width<C>, int64_t c) {
      if (C == 1 && !slant.any())
        dot(conjugate, m, a[c], x, sums + c);
      else if (slant.any())
        dot_group<C>(SlantedRows{slant, m, count, c}, conjugate, a + c, x, sums + c);
      else
        dot_group<C>(AllRows{m}, conjugate, a + c, x, sums + c);
    });
  }

  template <int C, class Rows>
  static void add_and_dot_group(const Rows& rows, bool conjugate, const T* const* a, const T* t,
                                const T* x, T* y, T* result) {
    Factor<T> factors[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) factors[c] = Factor<T>(t + c);
    DotSum<T> sums[C];
    const Group<C> group(a);
    const R* px = parts(x);
    R* py = parts(y);
    for_rows<T, C>(rows, grid_of(rows, py, group.columns[0]),
                   [&](int64_t i, auto access) __attribute__((always_inline)) {
                     const V v = access.load(px + i), v_swapped = swapped<T>(v);
                     V sum = access.load(py + i);
#pragma GCC unroll 8
                     for (int c = 0; c < C; ++c) {
                       const V element = access.load(c, group.columns[c] + i);
                       sum = access.keep(c, factors[c].add_to(sum, element), sum);
                       sums[c].add(access, c, element, v, v_swapped);
                     }
                     access.store(py + i, sum);
                   });
    store_sums<T, C>(sums, conjugate, result);
  }
  static void add_and_dot_columns(Slant slant, bool conjugate, int64_t m, int64_t count,
                                  const T* const* a, const T* t, const T* x, T* y, T* sums) {
    for_column_groups<kColumnsBoth<T>>(count, [&]<int C>(Width<C>, int64_t c) {
      if (slant.any())
        add_and_dot_group<C>(SlantedRows{slant, m, count, c}, conjugate, a + c, t + c, x, y,
                             sums + c);
      else
        add_and_dot_group<C>(AllRows{m}, conjugate, a + c, t + c, x, y, sums + c);
    });
  }

  template <int C, class Rows>
  static void update_group(const Rows& rows, T* const* a, const T* t, const T* x) {
    Factor<T> factors[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) factors[c] = Factor<T>(t + c);
    const Group<C> group(a);
    const R* px = parts(x);
    for_rows<T, C>(rows, group.columns[0],
                   [&](int64_t i, auto access) __attribute__((always_inline)) {
                     const V v = access.load(px + i);
#pragma GCC unroll 8
                     for (int c = 0; c < C; ++c) {
                       R* place = group.columns[c] + i;
                       access.store(c, place, factors[c].add_to(access.load(c, place), v));
                     }
                   });
  }
  static void update_columns(Slant slant, int64_t m, int64_t count, T* const* a, const T* t,
                             const T* x) {
    for_column_groups<4>(count, [&]<int C>(Width<C>, int64_t c) {
      if (C == 1 && !slant.any())
        axpy(m, t + c, x, a[c]);
      else if (slant.any())
        update_group<C>(SlantedRows{slant, m, count, c}, a + c, t + c, x);
      else
        update_group<C>(AllRows{m}, a + c, t + c, x);
    });
  }

  template <int C, class Rows>
  static void update_twice_group(const Rows& rows, T* const* a, const T* t, const T* x, const T* u,
                                 const T* y) {
    Factor<T> from_x[C], from_y[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      from_x[c] = Factor<T>(t + c);
      from_y[c] = Factor<T>(u + c);
    }
    const Group<C> group(a);
    const R* px = parts(x);
    const R* py = parts(y);
    for_rows<T, C>(rows, group.columns[0],
                   [&](int64_t i, auto access) __attribute__((always_inline)) {
                     const V vx = access.load(px + i), vy = access.load(py + i);
#pragma GCC unroll 8
                     for (int c = 0; c < C; ++c) {
                       R* place = group.columns[c] + i;
                       const V sum = from_x[c].add_to(access.load(c, place), vx);
                       access.store(c, place, from_y[c].add_to(sum, vy));
                     }
                   });
  }
  static void update_columns_twice(Slant slant, int64_t m, int64_t count, T* const* a, const T* t,
                                   const T* x, const T* u, const T* y) {
    for_column_groups<4>(count, [&]<int C>(Width<C>, int64_t c) {
      if (slant.any())
        update_twice_group<C>(SlantedRows{slant, m, count, c}, a + c, t + c, x, u + c, y);
      else
        update_twice_group<C>(AllRows{m}, a + c, t + c, x, u + c, y);
    });
  }

  static constexpr VectorKernels<T> table = {
      .axpy = axpy,
      .axpby = axpby,
      .scale = scale,
      .dot = dot,
      .sum_absolute = sum_absolute,
      .sum_squares = sum_squares,
      .index_largest = index_largest,
      .index_smallest = index_smallest,
      .swap = swap,
      .rotate = rotate,
      .add_columns = add_columns,
      .dot_columns = dot_columns,
      .add_and_dot_columns = add_and_dot_columns,
      .update_columns = update_columns,
      .update_columns_twice = update_columns_twice,
  };
};

double wide_dot(int64_t n, const float* x, const float* y) {
  using S = Simd<float>;
  using D = Simd<double>;
  using Half = typename S::Half;
  using V = typename D::V;
  V sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * D::lanes <= n; i += 4 * D::lanes) {
    for (int u = 0; u < 4; ++u) {
      const Half* px = reinterpret_cast<const Half*>(x + i + u * D::lanes);
      const Half* py = reinterpret_cast<const Half*>(y + i + u * D::lanes);
      sums[u] += __builtin_convertvector(*px, V) * __builtin_convertvector(*py, V);
    }
  }
  double result = D::sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) result += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return result;
}
constexpr WideKernels kWideTable = {wide_dot};
