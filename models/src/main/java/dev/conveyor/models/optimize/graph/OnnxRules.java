package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.onnx.proto.AttributeProto;
import dev.conveyor.models.onnx.proto.GraphProto;
import dev.conveyor.models.onnx.proto.ModelProto;
import dev.conveyor.models.onnx.proto.NodeProto;
import dev.conveyor.models.onnx.proto.OperatorSetIdProto;
import dev.conveyor.models.onnx.proto.TensorProto;
import dev.conveyor.models.onnx.proto.TypeProto;
import dev.conveyor.models.onnx.proto.ValueInfoProto;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The rules that every ONNX file has to keep, whoever reads it: versions and operator sets are
 * declared, names are assigned once (static single assignment) and before they are read, inputs and
 * outputs have types, attributes and weights hold what they say.
 *
 * <p>Source: the ONNX IR specification (docs/IR.md) and the checks of {@code onnx.checker} that
 * need no operator schemas; operators are checked by ONNX Runtime when it opens the file.
 *
 * <p>Thread-confined: created, used and dropped by one call.
 */
public final class OnnxRules {

  /** From here on initialisers need not be inputs. */
  private static final int IR_WITH_FREE_INITIALISERS = 4;

  private final ModelProto model;
  private final Set<String> domains = new HashSet<>();
  private final List<String> problems = new ArrayList<>();

  private OnnxRules(ModelProto model) {
    this.model = model;
  }

  /** Returns what is wrong with a model; nothing if it keeps the rules. */
  public static List<String> check(ModelProto model) {
    OnnxRules rules = new OnnxRules(model);
    rules.checkModel();
    return List.copyOf(rules.problems);
  }

  private void checkModel() {
    if (model.getIrVersion() < 1) {
      problems.add("ir_version: expected 1 or more, found " + model.getIrVersion());
    }
    if (model.getOpsetImportCount() == 0) {
      problems.add("opset_import: expected at least one, found none");
    }
    for (OperatorSetIdProto set : model.getOpsetImportList()) {
      if (!domains.add(domain(set.getDomain()))) {
        problems.add("opset_import: domain '%s' is imported twice".formatted(set.getDomain()));
      }
      if (set.getVersion() < 1) {
        problems.add(
            "opset_import: '%s' has version %d, expected 1 or more"
                .formatted(set.getDomain(), set.getVersion()));
      }
    }
    if (!model.hasGraph()) {
      problems.add("graph: expected one, found none");
      return;
    }
    checkGraph(model.getGraph(), Set.of(), true);
  }

  /**
   * Checks a graph or one inside of a node.
   *
   * @param outer names that the graphs around it have defined
   */
  private void checkGraph(GraphProto graph, Set<String> outer, boolean outermost) {
    if (graph.getName().isEmpty()) {
      problems.add("graph.name: expected a name, found none");
    }
    Set<String> own = new HashSet<>();
    for (ValueInfoProto input : graph.getInputList()) {
      checkValue("input", input, outermost);
      define(own, outer, input.getName(), "input");
    }
    Set<String> weights = new HashSet<>();
    for (TensorProto weight : graph.getInitializerList()) {
      checkWeight("initializer", weight);
      if (!weights.add(weight.getName())) {
        problems.add("initializer '%s' is there twice".formatted(weight.getName()));
      }
      if (weight.getName().isEmpty()) {
        problems.add("initializer: expected a name, found none");
      }
      boolean isInput = own.contains(weight.getName());
      if (!isInput && model.getIrVersion() < IR_WITH_FREE_INITIALISERS) {
        problems.add(
            "initializer '%s' has to be an input too before IR version %d"
                .formatted(weight.getName(), IR_WITH_FREE_INITIALISERS));
      }
      own.add(weight.getName());
    }
    for (NodeProto node : graph.getNodeList()) {
      checkNode(node, own, outer);
    }
    for (ValueInfoProto output : graph.getOutputList()) {
      checkValue("output", output, outermost);
      if (!own.contains(output.getName()) && !outer.contains(output.getName())) {
        problems.add("output '%s' is computed by no node".formatted(output.getName()));
      }
    }
  }

  private void checkNode(NodeProto node, Set<String> own, Set<String> outer) {
    String where = "node '%s' (%s)".formatted(node.getName(), node.getOpType());
    if (node.getOpType().isEmpty()) {
      problems.add(where + ": expected an op_type, found none");
    }
    if (!domains.contains(domain(node.getDomain()))) {
      problems.add("%s: domain '%s' is not in opset_import".formatted(where, node.getDomain()));
    }
    for (String input : node.getInputList()) {
      if (!input.isEmpty() && !own.contains(input) && !outer.contains(input)) {
        problems.add("%s: input '%s' is not defined before it is read".formatted(where, input));
      }
    }
    Set<String> names = new HashSet<>();
    for (AttributeProto attribute : node.getAttributeList()) {
      if (attribute.getName().isEmpty() || !names.add(attribute.getName())) {
        problems.add(
            "%s: attribute '%s' has no name or that of another"
                .formatted(where, attribute.getName()));
      }
      checkAttribute(where, attribute, own, outer);
    }
    for (String output : node.getOutputList()) {
      if (!output.isEmpty()) {
        define(own, outer, output, where);
      }
    }
  }

  private void checkAttribute(
      String where, AttributeProto attribute, Set<String> own, Set<String> outer) {
    boolean holds =
        switch (attribute.getType()) {
          case UNDEFINED -> attribute.getRefAttrName().length() > 0;
          case FLOAT, INT, STRING -> isEmptyOfLists(attribute);
          case TENSOR -> attribute.hasT() && isEmptyOfLists(attribute);
          case GRAPH -> attribute.hasG() && isEmptyOfLists(attribute);
          case FLOATS -> attribute.getIntsCount() + attribute.getStringsCount() == 0;
          case INTS -> attribute.getFloatsCount() + attribute.getStringsCount() == 0;
          case STRINGS -> attribute.getFloatsCount() + attribute.getIntsCount() == 0;
          default -> true;
        };
    if (!holds) {
      problems.add(
          "%s: attribute '%s' does not hold the %s that it says"
              .formatted(where, attribute.getName(), attribute.getType()));
    }
    if (attribute.hasT()) {
      checkWeight(where + ", attribute '" + attribute.getName() + "'", attribute.getT());
    }
    Set<String> visible = new HashSet<>(outer);
    visible.addAll(own);
    if (attribute.hasG()) {
      checkGraph(attribute.getG(), visible, false);
    }
    attribute.getGraphsList().forEach(graph -> checkGraph(graph, visible, false));
  }

  private static boolean isEmptyOfLists(AttributeProto attribute) {
    return attribute.getFloatsCount() + attribute.getIntsCount() + attribute.getStringsCount() == 0;
  }

  private void checkValue(String kind, ValueInfoProto value, boolean typed) {
    if (value.getName().isEmpty()) {
      problems.add(kind + ": expected a name, found none");
    }
    TypeProto type = value.getType();
    boolean declared =
        type.hasTensorType()
            ? type.getTensorType().getElemType() != TensorProto.DataType.UNDEFINED_VALUE
            : type.getValueCase() != TypeProto.ValueCase.VALUE_NOT_SET;
    if (typed && !declared) {
      problems.add("%s '%s': expected a type, found none".formatted(kind, value.getName()));
    }
  }

  private void define(Set<String> own, Set<String> outer, String name, String by) {
    if (!own.add(name) || outer.contains(name)) {
      problems.add("'%s' is defined again by %s".formatted(name, by));
    }
  }

  private void checkWeight(String where, TensorProto weight) {
    TensorProto.DataType type = TensorProto.DataType.forNumber(weight.getDataType());
    if (type == null || type == TensorProto.DataType.UNDEFINED) {
      problems.add("%s '%s': expected a data type, found none".formatted(where, weight.getName()));
      return;
    }
    if (weight.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
      return;
    }
    long elements = 1;
    for (long dim : weight.getDimsList()) {
      if (dim < 0) {
        problems.add("%s '%s': dimension %d".formatted(where, weight.getName(), dim));
        return;
      }
      elements *= dim;
    }
    String found = TensorContents.mismatch(weight, type, elements);
    if (!found.isEmpty()) {
      problems.add("%s '%s': %s".formatted(where, weight.getName(), found));
    }
  }

  private static String domain(String domain) {
    return domain.equals("ai.onnx") ? "" : domain;
  }
}
