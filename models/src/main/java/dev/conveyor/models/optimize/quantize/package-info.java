/**
 * Models with 8-bit integers.
 *
 * <ul>
 *   <li>With data: {@link Observations} watches a model on it, {@link QuantizationPlan} says what
 *       is quantised, {@link Int8Quantizer} writes it, {@link Sensitivity} says which layer costs
 *       what.
 *   <li>Without, for models of matrix products: {@link ProductQuantizer}.
 * </ul>
 */
@NullMarked
package dev.conveyor.models.optimize.quantize;

import org.jspecify.annotations.NullMarked;
