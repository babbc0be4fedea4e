package dev.conveyor.verticles.cli.gpucheck;

import dev.conveyor.memory.Block;
import java.nio.IntBuffer;

/** Words of which each tells its place and its round. Stateless. */
final class Words {

  private static final int SPREAD = 0x9E3779B9;

  private Words() {}

  static void fill(Block block, int round) {
    IntBuffer words = block.buffer().asIntBuffer();
    for (int i = 0; i < words.capacity(); i++) {
      words.put(i, i * SPREAD + round);
    }
  }

  /** Returns the first word that is not of this round; -1 if all are. */
  static int wrong(Block block, int round) {
    IntBuffer words = block.buffer().asIntBuffer();
    for (int i = 0; i < words.capacity(); i++) {
      if (words.get(i) != i * SPREAD + round) {
        return i;
      }
    }
    return -1;
  }
}
