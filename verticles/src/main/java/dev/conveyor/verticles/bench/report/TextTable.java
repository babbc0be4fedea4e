package dev.conveyor.verticles.bench.report;

import java.util.ArrayList;
import java.util.List;

/**
 * Rows of text in aligned columns: the first columns, which name things, to the left, figures to
 * the right.
 *
 * <p>Not thread-safe: owned by whoever fills it.
 */
public final class TextTable {

  private final List<List<String>> rows = new ArrayList<>();

  private final int leftColumns;

  public TextTable(int leftColumns, String... header) {
    this.leftColumns = leftColumns;
    rows.add(List.of(header));
  }

  /** Adds a row with as many cells as the header. */
  public void add(List<String> cells) {
    if (cells.size() != rows.get(0).size()) {
      throw new IllegalArgumentException(
          "a row has %d cells, was %s".formatted(rows.get(0).size(), cells));
    }
    rows.add(List.copyOf(cells));
  }

  /** Returns the lines, each ended by a newline, without trailing blanks. */
  public String format() {
    int[] widths = new int[rows.get(0).size()];
    for (List<String> row : rows) {
      for (int c = 0; c < widths.length; c++) {
        widths[c] = Math.max(widths[c], row.get(c).length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int c = 0; c < widths.length; c++) {
        String pad = " ".repeat(widths[c] - row.get(c).length());
        line.append(c == 0 ? "" : "  ")
            .append(c < leftColumns ? row.get(c) + pad : pad + row.get(c));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }
}
