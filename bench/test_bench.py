# SPDX-License-Identifier: Apache-2.0
"""The bench's own arithmetic and its list of scenarios; nothing here measures anything.

    python3 -B bench/test_bench.py
"""
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import tables
from figures import TOO_FEW, TOO_WIDE, median_of, ratio_of, spread_of
from measure import bytes_of
from plan import Contender, java_properties, read_scenarios
from record import FIELDS, Record
from report import members, table_html
from rig import Failure
from targets import REFERENCE, at_least, at_most, judge, targets


def rounds(*values, key="messages_per_s"):
    return {number + 1: {key: value} for number, value in enumerate(values)}


class Ratios(unittest.TestCase):
    def test_a_median_is_that_of_the_rounds_that_have_the_figure(self):
        self.assertEqual(median_of({1: {"a": 5}, 2: {"b": 1}, 3: {"a": 7}, 4: {"a": 6}}, "a"), 6)
        self.assertIsNone(median_of({1: {"b": 1}}, "a"))

    def test_a_ratio_is_taken_within_rounds(self):
        # The machine was half as fast in the second round, for both.
        ratio = ratio_of(rounds(200, 100, 220), rounds(100, 50, 100), "messages_per_s")
        self.assertEqual(ratio.median, 2.0)
        self.assertEqual((ratio.least, ratio.greatest), (2.0, 2.2))
        self.assertEqual(ratio.text(), "2.00")
        self.assertEqual(ratio.range_text(), "2.00 to 2.20")

    def test_rounds_that_one_of_both_lacks_do_not_count(self):
        ratio = ratio_of({1: {"a": 4}, 3: {"a": 9}, 4: {}}, {1: {"a": 2}, 2: {"a": 1}, 3: {"a": 3}},
                         "a")
        self.assertEqual(ratio.rounds, 2)
        self.assertEqual(ratio.median, 2.5)

    def test_there_is_no_ratio_without_a_common_round_or_to_nothing(self):
        self.assertIsNone(ratio_of({1: {"a": 4}}, {2: {"a": 4}}, "a"))
        self.assertIsNone(ratio_of({1: {"a": 4}}, {1: {"a": 0}}, "a"))

    def test_two_rounds_are_too_few(self):
        ratio = ratio_of(rounds(2, 2), rounds(1, 1), "messages_per_s")
        self.assertEqual(ratio.text(), TOO_FEW)

    def test_a_ratio_that_rounds_do_not_agree_on_is_refused(self):
        ratio = ratio_of(rounds(1, 2, 3, 4, 5), rounds(1, 1, 1, 1, 1), "messages_per_s")
        self.assertAlmostEqual(ratio.spread, 2 / 3)
        self.assertEqual(ratio.text(), TOO_WIDE)

    def test_one_bad_round_of_five_does_not_spoil_a_ratio(self):
        ratio = ratio_of(rounds(6.0, 6.1, 0.5, 5.9, 6.2), rounds(1, 1, 1, 1, 1), "messages_per_s")
        self.assertEqual(ratio.refusal, "")
        self.assertEqual(ratio.text(), "6.00")

    def test_a_spread_is_the_middle_half_over_the_median(self):
        self.assertEqual(spread_of([4, 4, 4]), 0)
        self.assertEqual(spread_of([7]), 0)
        self.assertEqual(spread_of([1, 2, 3, 4, 5]), 2 / 3)


class Targets(unittest.TestCase):
    ONE, OTHER = ("wide-1344", "ramjet:auto"), ("wide-1344", REFERENCE)

    def verdict(self, target, *values):
        return judge(target, {self.ONE: rounds(*values),
                              self.OTHER: rounds(*[1] * len(values))}).word

    def test_a_target_is_met_at_its_bound(self):
        least = at_least("w", "f", self.ONE, self.OTHER, "messages_per_s", 6)
        most = at_most("w", "f", self.ONE, self.OTHER, "messages_per_s", 0.6)
        self.assertEqual(self.verdict(least, 6, 6, 6), "met")
        self.assertEqual(self.verdict(least, 5.9, 5.9, 5.9), "missed")
        self.assertEqual(self.verdict(most, 0.6, 0.6, 0.6), "met")
        self.assertEqual(self.verdict(most, 0.61, 0.61, 0.61), "missed")

    def test_what_may_not_be_quoted_is_not_measured(self):
        target = at_least("w", "f", self.ONE, self.OTHER, "messages_per_s", 1)
        self.assertEqual(self.verdict(target, 9, 9), "not measured")
        self.assertEqual(self.verdict(target, 1, 5, 9, 20, 30), "not measured")
        self.assertEqual(judge(target, {}).word, "not measured")

    def test_a_contender_can_be_held_against_itself_elsewhere(self):
        without, lossy = ("loss-0", "ramjet:auto"), ("loss-1", "ramjet:auto")
        target = at_least("w", "f", lossy, without, "messages_per_s", 0.9)
        verdict = judge(target, {lossy: rounds(95, 92, 91), without: rounds(100, 100, 100)})
        self.assertEqual((verdict.word, verdict.ratio.median), ("met", 0.92))

    def test_every_target_is_of_scenarios_and_contenders_that_there_are(self):
        default = ("ramjet:auto ramjet:gso ramjet:xdp-generic ramjet:xdp-native ramjet:socket "
                   "official").split()
        there = {(scenario.name, name) for scenario in read_scenarios()
                 for name in scenario.contenders(default)}
        for target in targets():
            self.assertIn(target.one, there)
            self.assertIn(target.other, there)


class Plans(unittest.TestCase):
    def test_scenarios_are_chosen_by_name_or_pattern(self):
        self.assertEqual([each.name for each in read_scenarios(["ipc-*"])], ["ipc-32", "ipc-1344"])
        with self.assertRaises(Failure):
            read_scenarios(["nothing-of-this-name"])

    def test_who_takes_part_is_asked_for_and_fits(self):
        asked = ["ramjet:auto", "java", "official"]
        scenarios = {each.name: each for each in read_scenarios()}
        self.assertEqual(scenarios["ipc-32"].contenders(asked), ["ramjet", "java", "official"])
        self.assertEqual(scenarios["spin-32"].contenders(asked), ["ramjet:auto", "official"])
        self.assertEqual(scenarios["echo-32"].contenders(asked)[-1], "echo:socket")
        self.assertEqual(scenarios["mdc-1"].contenders(["official"]), [])
        self.assertEqual(scenarios["ipc-32"].contenders(asked, is_quick=True),
                         ["ramjet", "official"])

    def test_a_quick_run_holds_few_measurements(self):
        default = ["ramjet:auto", "ramjet:gso", "ramjet:xdp-generic", "ramjet:socket", "official"]
        count = sum(len(each.contenders(default, is_quick=True)) for each in read_scenarios())
        self.assertGreater(count, 10)
        self.assertLessEqual(count, 26)

    def test_drivers_are_told_their_transport_and_all_get_the_same_settings(self):
        settings = {"AERON_MTU_LENGTH": "1408"}
        self.assertEqual(Contender("official").environment(settings), settings)
        self.assertEqual(Contender("ramjet").environment(settings), settings)
        self.assertEqual(Contender("ramjet:gso").environment(settings),
                         {**settings, "RAMJET_TRANSPORT": "gso"})
        self.assertEqual(Contender("ramjet:xdp-native").environment({}),
                         {"RAMJET_TRANSPORT": "xdp", "RAMJET_INTERFACE": "eth0",
                          "RAMJET_XDP_MODE": "native"})
        self.assertEqual(sorted(Contender("ramjet:dpdk").environment({})),
                         ["RAMJET_DPDK_ARGS", "RAMJET_TRANSPORT"])
        with self.assertRaises(Failure):
            Contender("nobody")

    def test_only_who_was_asked_for_rings_alone_must_use_them(self):
        self.assertTrue(Contender("ramjet:xdp-generic").is_ring)
        self.assertTrue(Contender("ramjet:packet").is_ring)
        self.assertFalse(Contender("ramjet:auto").is_ring)
        self.assertFalse(Contender("ramjet:socket").is_ring)
        self.assertFalse(Contender("bare:xdp-native").is_ring)

    def test_a_java_driver_gets_properties(self):
        self.assertEqual(
            list(java_properties({"AERON_SOCKET_SO_RCVBUF": "2m", "AERON_MTU_LENGTH": "8192",
                                  "AERON_SHARED_IDLE_STRATEGY_INIT_ARGS": "10-0-1us-100us"})),
            ["-Daeron.socket.so_rcvbuf=2m", "-Daeron.mtu.length=8192"])

    def test_sizes_have_suffixes(self):
        self.assertEqual([bytes_of("128k"), bytes_of("2m"), bytes_of("17")],
                         [131072, 2097152, 17])


class Outputs(unittest.TestCase):
    SCENARIO = SimpleNamespace(name="wide-1344", kind="udp")

    def test_a_table_holds_every_contender_against_the_last(self):
        results = {("wide-1344", 0): rounds(4, 6, 4), ("wide-1344", 1): rounds(2, 3, 2)}
        table = list(tables.measured([(self.SCENARIO, ["ramjet:auto", "official"])], results))
        self.assertEqual(table[1], ["wide-1344", "ramjet:auto", "official", "messages/s", "4", "2",
                                    "2.00", "2.00 to 2.00"])
        self.assertEqual(len(table), 2)

    def test_who_failed_has_no_figures_and_no_ratio(self):
        results = {("wide-1344", 0): {}, ("wide-1344", 1): rounds(2, 3, 2)}
        table = list(tables.measured([(self.SCENARIO, ["ramjet:dpdk", "official"])], results))
        self.assertEqual(table[1][4:], ["-", "2", "-", "-"])

    def test_a_family_is_sorted_by_the_number_in_its_names(self):
        matches = [(SimpleNamespace(name=name), ["a", "b"])
                   for name in ("loss-5", "loss-0.1", "loss-mdc", "mdc-4")]
        self.assertEqual([each[1].name for each in members("loss", matches)],
                         ["loss-0.1", "loss-5"])

    def test_cells_of_a_page_are_escaped(self):
        self.assertIn("<td>&lt;b&gt;</td>", "".join(table_html([["h"], ["<b>"]])))

    def test_rows_are_on_disk_as_they_come(self):
        with tempfile.TemporaryDirectory() as folder:
            record = Record(Path(folder) / "run", {"commit": "c", "kernel": "k"})
            record.add({"messages": 1, "failure": ""}, round=1, scenario="s", contender="c")
            lines = (Path(folder) / "run" / "raw.csv").read_text(encoding="utf-8").splitlines()
            record.close()
        self.assertEqual(lines[0].split(","), list(FIELDS))
        self.assertEqual(len(lines), 2)


if __name__ == "__main__":
    unittest.main()
