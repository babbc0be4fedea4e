package dev.conveyor.scheduler.fairness;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.scheduler.fairness.IndexedHeap.Node;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

final class IndexedHeapTest {

  /** Beside a list that is sorted whenever it is asked. */
  @Property(tries = 200)
  void shouldKeepTheSmallestFirstWhateverIsPutMovedAndTakenOut(@ForAll long seed) {
    Random random = new Random(seed);
    IndexedHeap<Integer> heap = new IndexedHeap<>();
    List<Node<Integer>> nodes = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      nodes.add(new Node<>(i));
    }
    List<Node<Integer>> in = new ArrayList<>();
    for (int step = 0; step < 300; step++) {
      Node<Integer> node = nodes.get(random.nextInt(nodes.size()));
      if (random.nextInt(3) > 0) {
        heap.set(node, random.nextInt(10), random.nextInt(4));
        in.remove(node);
        in.add(node);
      } else {
        heap.remove(node);
        in.remove(node);
      }
      in.sort(Comparator.<Node<Integer>>comparingDouble(Node::key).thenComparingDouble(Node::tie));
      assertThat(heap.size()).isEqualTo(in.size());
      assertThat(heap.isEmpty()).isEqualTo(in.isEmpty());
      assertThat(node.isIn()).isEqualTo(in.contains(node));
      if (!in.isEmpty()) {
        assertThat(heap.peek().key()).isEqualTo(in.get(0).key());
        assertThat(heap.peek().tie()).isEqualTo(in.get(0).tie());
      }
    }
    while (!in.isEmpty()) {
      Node<Integer> first = heap.peek();
      assertThat(first.key()).isEqualTo(in.get(0).key());
      heap.remove(first);
      in.remove(first);
    }
    assertThat(heap.peek()).isNull();
  }
}
