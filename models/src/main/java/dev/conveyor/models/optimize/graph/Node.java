package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One operator of a graph. Not thread-safe: owned by its {@link Graph}. Inputs and outputs are
 * names of values; an empty name is an operand that was left out.
 */
public final class Node {

  private final String name;
  private final String domain;
  private final String type;
  private final List<String> inputs;
  private final List<String> outputs;
  private final Map<String, AttributeProto> attributes = new LinkedHashMap<>();

  /** Makes a standard operator. */
  public Node(String type, String name, List<String> inputs, List<String> outputs) {
    this("", type, name, inputs, outputs);
  }

  private Node(String domain, String type, String name, List<String> inputs, List<String> outputs) {
    this.domain = domain.equals("ai.onnx") ? "" : domain;
    this.type = type;
    this.name = name;
    this.inputs = new ArrayList<>(inputs);
    this.outputs = new ArrayList<>(outputs);
  }

  static Node of(NodeProto proto) {
    Node node =
        new Node(
            proto.getDomain(),
            proto.getOpType(),
            proto.getName(),
            proto.getInputList(),
            proto.getOutputList());
    proto.getAttributeList().forEach(a -> node.attributes.put(a.getName(), a));
    return node;
  }

  NodeProto toProto() {
    return NodeProto.newBuilder()
        .setDomain(domain)
        .setOpType(type)
        .setName(name)
        .addAllInput(inputs)
        .addAllOutput(outputs)
        .addAllAttribute(attributes.values())
        .build();
  }

  /** Returns a node with other operands and the same attributes. */
  public Node as(String otherType, List<String> otherInputs, List<String> otherOutputs) {
    Node node = new Node(domain, otherType, name, otherInputs, otherOutputs);
    node.attributes.putAll(attributes);
    return node;
  }

  /** Returns the name, or that of the first output where the model names no nodes. */
  public String name() {
    return name.isEmpty() ? outputs.get(0) : name;
  }

  public String domain() {
    return domain;
  }

  public String type() {
    return type;
  }

  /** Returns whether it is this operator of the ONNX standard. */
  public boolean is(String... types) {
    return domain.isEmpty() && Arrays.asList(types).contains(type);
  }

  /** Returns the inputs, which may be changed. */
  public List<String> inputs() {
    return inputs;
  }

  /** Returns the outputs, which may be changed. */
  public List<String> outputs() {
    return outputs;
  }

  /** Returns an input's name, or an empty one if it was left out. */
  public String input(int index) {
    return index < inputs.size() ? inputs.get(index) : "";
  }

  public String output() {
    return outputs.get(0);
  }

  /** Returns the attributes by name, which may be changed. */
  public Map<String, AttributeProto> attributes() {
    return attributes;
  }

  public long intAttribute(String key, long absent) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? absent : attribute.getI();
  }

  public float floatAttribute(String key, float absent) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? absent : attribute.getF();
  }

  public String stringAttribute(String key, String absent) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null ? absent : attribute.getS().toString(StandardCharsets.UTF_8);
  }

  /** Returns null if it has none of this name. */
  public long @Nullable [] intsAttribute(String key) {
    AttributeProto attribute = attributes.get(key);
    return attribute == null
        ? null
        : attribute.getIntsList().stream().mapToLong(Long::longValue).toArray();
  }

  public Node with(String key, long value) {
    return with(
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.INT)
            .setI(value));
  }

  /** Sets a list, as axes are one. */
  public Node with(String key, long first, long... rest) {
    AttributeProto.Builder attribute =
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.INTS)
            .addInts(first);
    for (long value : rest) {
      attribute.addInts(value);
    }
    return with(attribute);
  }

  public Node with(String key, String value) {
    return with(
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.STRING)
            .setS(com.google.protobuf.ByteString.copyFromUtf8(value)));
  }

  /** Sets a tensor, as constants have it. */
  public Node with(String key, TensorProto value) {
    return with(
        AttributeProto.newBuilder()
            .setName(key)
            .setType(AttributeProto.AttributeType.TENSOR)
            .setT(value));
  }

  private Node with(AttributeProto.Builder attribute) {
    attributes.put(attribute.getName(), attribute.build());
    return this;
  }

  Node withoutAttributes() {
    attributes.clear();
    return this;
  }

  /** Replaces a value among the inputs. */
  public void replaceInput(String from, String to) {
    inputs.replaceAll(name -> name.equals(from) ? to : name);
  }

  /** Returns whether it holds graphs of its own (If, Loop, Scan). */
  public boolean hasSubgraph() {
    return attributes.values().stream().anyMatch(a -> a.hasG() || a.getGraphsCount() > 0);
  }

  @Override
  public String toString() {
    return type + " '" + name() + "'";
  }
}
