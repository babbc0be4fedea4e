package dev.conveyor.scheduler.fairness;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A binary heap whose entries know where they are, so that one can be moved or taken out in O(log
 * n); the smallest key first, among equal keys the smallest tie breaker.
 *
 * <p>Not thread-safe: owned by the scheduler.
 *
 * @param <T> what entries stand for
 */
public final class IndexedHeap<T> {

  /**
   * One entry, in at most one heap at a time.
   *
   * @param <T> what it stands for
   */
  public static final class Node<T> {
    private final T value;
    private double key;
    private double tie;
    private int index = -1;

    public Node(T value) {
      this.value = value;
    }

    public T value() {
      return value;
    }

    public double key() {
      return key;
    }

    public double tie() {
      return tie;
    }

    /** Returns true while it is in a heap. */
    public boolean isIn() {
      return index >= 0;
    }
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // only nodes of T are put in
  private @Nullable Node<T>[] nodes = new Node[16];

  /** The keys and tie breakers of the nodes beside them: to compare reads no node. */
  private double[] keys = new double[16];

  private double[] ties = new double[16];

  private int size;

  public boolean isEmpty() {
    return size == 0;
  }

  public int size() {
    return size;
  }

  /** Returns the smallest entry, or null. */
  public @Nullable Node<T> peek() {
    return nodes[0];
  }

  /** Puts an entry in, or moves it to where its new key belongs. */
  public void set(Node<T> node, double key, double tie) {
    int index = node.index;
    if (index < 0) {
      if (size == nodes.length) {
        nodes = Arrays.copyOf(nodes, 2 * size);
        keys = Arrays.copyOf(keys, 2 * size);
        ties = Arrays.copyOf(ties, 2 * size);
      }
      index = size++;
    } else if (node.key == key && node.tie == tie) {
      return;
    }
    node.key = key;
    node.tie = tie;
    settle(node, index);
  }

  /** Takes an entry out, if it is in. */
  public void remove(Node<T> node) {
    int index = node.index;
    if (index < 0) {
      return;
    }
    size--;
    Node<T> last = nodes[size];
    nodes[size] = null;
    node.index = -1;
    if (last != null && last != node) {
      settle(last, index);
    }
  }

  /** Puts a node where its key belongs, given that {@code index} is free. */
  private void settle(Node<T> node, int index) {
    double key = node.key;
    double tie = node.tie;
    int at = siftUp(index, key, tie);
    at = at == index ? siftDown(index, key, tie) : at;
    place(node, at);
  }

  private int siftUp(int index, double key, double tie) {
    int at = index;
    while (at > 0) {
      int parent = (at - 1) >>> 1;
      if (!isBefore(key, tie, keys[parent], ties[parent])) {
        break;
      }
      move(parent, at);
      at = parent;
    }
    return at;
  }

  private int siftDown(int index, double key, double tie) {
    int at = index;
    int child = 2 * at + 1;
    while (child < size) {
      int right = child + 1;
      if (right < size && isBefore(keys[right], ties[right], keys[child], ties[child])) {
        child = right;
      }
      if (!isBefore(keys[child], ties[child], key, tie)) {
        break;
      }
      move(child, at);
      at = child;
      child = 2 * at + 1;
    }
    return at;
  }

  private void move(int from, int to) {
    Node<T> node = nodes[from];
    if (node != null) {
      place(node, to);
    }
  }

  private void place(Node<T> node, int index) {
    nodes[index] = node;
    keys[index] = node.key;
    ties[index] = node.tie;
    node.index = index;
  }

  private static boolean isBefore(double aKey, double aTie, double bKey, double bTie) {
    return aKey < bKey || (aKey == bKey && aTie < bTie);
  }
}
