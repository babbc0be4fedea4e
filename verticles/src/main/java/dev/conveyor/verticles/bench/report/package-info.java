/**
 * Shows what was measured.
 *
 * <ul>
 *   <li>For people: {@link TextTable} aligns columns, {@link LoadReport} fills it.
 *   <li>For programs: {@link LoadReport#json}.
 *   <li>As a picture: {@link Plot} draws a {@link Figure} as SVG or PNG; {@link FigurePainter} is
 *       the one drawing routine, on a {@link Canvas}.
 * </ul>
 */
@NullMarked
package dev.conveyor.verticles.bench.report;

import org.jspecify.annotations.NullMarked;
