package dev.conveyor.verticles.metrics;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A parser of Prometheus' text format 0.0.4 that forgives nothing: every family has HELP and TYPE
 * once and before its samples, families are not interleaved, no sample occurs twice, counters are
 * not negative, histograms are cumulative and complete.
 */
final class StrictExposition {

  private static final Pattern META =
      Pattern.compile("# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)");
  private static final Pattern SAMPLE =
      Pattern.compile("([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{(.*)})? (\\S+)");
  private static final Pattern LABEL =
      Pattern.compile("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\]|\\\\[\\\\\"n])*)\"(,|$)");

  private final Map<String, String> types = new HashMap<>();
  private final Set<String> helped = new HashSet<>();
  private final Map<String, Double> samples = new LinkedHashMap<>();
  private String family = "";

  static StrictExposition parse(String text) {
    if (!text.endsWith("\n")) {
      throw new AssertionError("does not end with a line feed");
    }
    StrictExposition exposition = new StrictExposition();
    for (String line : text.split("\n", -1)) {
      if (!line.isEmpty()) {
        exposition.line(line);
      }
    }
    exposition.checkHistograms();
    return exposition;
  }

  /** Returns the value of a sample; labels in alphabetical order, values unescaped. */
  double value(String name, String... labels) {
    Map<String, String> map = new TreeMap<>();
    for (int i = 0; i < labels.length; i += 2) {
      map.put(labels[i], labels[i + 1]);
    }
    Double value = samples.get(name + map);
    if (value == null) {
      throw new AssertionError("no sample " + name + map + " in " + samples.keySet());
    }
    return value;
  }

  String type(String name) {
    return types.get(name);
  }

  private void line(String line) {
    Matcher meta = META.matcher(line);
    if (meta.matches()) {
      meta(meta.group(1), meta.group(2), meta.group(3));
      return;
    }
    Matcher sample = SAMPLE.matcher(line);
    if (!sample.matches()) {
      throw new AssertionError("not a sample: " + line);
    }
    String name = sample.group(1);
    if (!helped.contains(family) || !types.containsKey(family) || !belongs(name)) {
      throw new AssertionError(line + " is not below HELP and TYPE of its family");
    }
    Map<String, String> labels = labels(sample.group(2));
    double value = number(sample.group(3));
    if ("counter".equals(types.get(family)) && !(value >= 0)) {
      throw new AssertionError("negative counter: " + line);
    }
    if (samples.put(name + labels, value) != null) {
      throw new AssertionError("twice: " + line);
    }
  }

  private void meta(String kind, String name, String rest) {
    boolean isNew = kind.equals("HELP") ? helped.add(name) : types.putIfAbsent(name, rest) == null;
    if (!isNew) {
      throw new AssertionError("second " + kind + " of " + name);
    }
    if (kind.equals("TYPE")
        && !Set.of("counter", "gauge", "histogram", "summary", "untyped").contains(rest)) {
      throw new AssertionError("unknown type " + rest);
    }
    family = name;
  }

  private boolean belongs(String name) {
    if ("histogram".equals(types.get(family)) || "summary".equals(types.get(family))) {
      String suffix = name.startsWith(family) ? name.substring(family.length()) : "?";
      return Set.of("", "_bucket", "_sum", "_count").contains(suffix);
    }
    return name.equals(family);
  }

  private static Map<String, String> labels(String text) {
    Map<String, String> labels = new TreeMap<>();
    Matcher label = LABEL.matcher(text == null ? "" : text);
    int at = 0;
    while (label.find(at) && label.start() == at) {
      String value = label.group(2).replace("\\n", "\n").replaceAll("\\\\([\\\\\"])", "$1");
      if (labels.put(label.group(1), value) != null) {
        throw new AssertionError("label twice: " + text);
      }
      at = label.end();
      if (at == label.regionEnd()) {
        return labels;
      }
    }
    if (text != null && at != text.length()) {
      throw new AssertionError("bad labels: " + text);
    }
    return labels;
  }

  private static double number(String text) {
    return text.endsWith("Inf")
        ? (text.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY)
        : Double.parseDouble(text);
  }

  private void checkHistograms() {
    for (Map.Entry<String, String> type : types.entrySet()) {
      if (type.getValue().equals("histogram")) {
        checkHistogram(type.getKey());
      }
    }
  }

  private void checkHistogram(String name) {
    Map<String, List<Double>> buckets = new LinkedHashMap<>();
    for (Map.Entry<String, Double> sample : samples.entrySet()) {
      if (sample.getKey().startsWith(name + "_bucket{")) {
        String series =
            sample.getKey().replace("_bucket{", "_count{").replaceFirst("le=[^,}]*(, )?", "");
        buckets.computeIfAbsent(series, k -> new ArrayList<>()).add(sample.getValue());
      }
    }
    buckets.forEach(
        (count, values) -> {
          if (!values.equals(values.stream().sorted().toList())) {
            throw new AssertionError(name + " is not cumulative: " + values);
          }
          Double all = values.get(values.size() - 1);
          if (!all.equals(samples.get(count))) {
            throw new AssertionError(count + " is not the last bucket, " + all);
          }
          if (!samples.containsKey(count.replace("_count{", "_sum{"))) {
            throw new AssertionError(name + " has no sum");
          }
        });
  }
}
