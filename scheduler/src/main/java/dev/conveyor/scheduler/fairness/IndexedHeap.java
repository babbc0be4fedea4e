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
    if (node.index < 0) {
      if (size == nodes.length) {
        nodes = Arrays.copyOf(nodes, 2 * size);
      }
      node.index = size;
      nodes[size++] = node;
    } else if (node.key == key && node.tie == tie) {
      return;
    }
    node.key = key;
    node.tie = tie;
    if (!siftUp(node)) {
      siftDown(node);
    }
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
      last.index = index;
      nodes[index] = last;
      if (!siftUp(last)) {
        siftDown(last);
      }
    }
  }

  private boolean siftUp(Node<T> node) {
    int index = node.index;
    int start = index;
    while (index > 0) {
      int parentIndex = (index - 1) >>> 1;
      Node<T> parent = nodes[parentIndex];
      if (parent == null || !isBefore(node, parent)) {
        break;
      }
      place(parent, index);
      index = parentIndex;
    }
    place(node, index);
    return index != start;
  }

  private void siftDown(Node<T> node) {
    int index = node.index;
    int childIndex = 2 * index + 1;
    while (childIndex < size) {
      Node<T> child = nodes[childIndex];
      Node<T> right = childIndex + 1 < size ? nodes[childIndex + 1] : null;
      if (right != null && child != null && isBefore(right, child)) {
        child = right;
        childIndex++;
      }
      if (child == null || !isBefore(child, node)) {
        break;
      }
      place(child, index);
      index = childIndex;
      childIndex = 2 * index + 1;
    }
    place(node, index);
  }

  private void place(Node<T> node, int index) {
    nodes[index] = node;
    node.index = index;
  }

  private static boolean isBefore(Node<?> a, Node<?> b) {
    return a.key < b.key || (a.key == b.key && a.tie < b.tie);
  }
}
