//! What expressions mean, and which are refused.

use proptest::prelude::*;

use super::*;

fn time(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn next(cron: &str, from: &str) -> String {
    let last = time(from).checked_add(9.years()).unwrap();
    let found = Cron::parse(cron).unwrap_or_else(|problem| panic!("{cron}: {problem}")).at_or_after(time(from), last);
    found.map_or_else(|| "never".to_owned(), |found| found.strftime("%a %F %R").to_string())
}

#[test]
fn an_expression_means_the_next_time_that_fits_all_its_fields() {
    // 2026-06-01 is a Monday.
    for (cron, from, expected) in [
        ("0 2 * * *", "2026-06-01T00:00:00", "Mon 2026-06-01 02:00"),
        ("0 2 * * *", "2026-06-01T02:00:00", "Mon 2026-06-01 02:00"),
        ("0 2 * * *", "2026-06-01T02:00:00.000000001", "Tue 2026-06-02 02:00"),
        ("59 23 * * *", "2026-06-01T23:59:01", "Tue 2026-06-02 23:59"),
        ("*/20 22-23 * * *", "2026-06-01T22:41:00", "Mon 2026-06-01 23:00"),
        ("5/20 * * * *", "2026-06-01T22:26:00", "Mon 2026-06-01 22:45"),
        ("0 2 * * 6", "2026-06-01T00:00:00", "Sat 2026-06-06 02:00"),
        ("0 2 * * SAT,sun", "2026-06-06T03:00:00", "Sun 2026-06-07 02:00"),
        ("0 2 * * 7", "2026-06-01T00:00:00", "Sun 2026-06-07 02:00"),
        ("0 2 * * 5-7", "2026-06-06T03:00:00", "Sun 2026-06-07 02:00"),
        ("0 2 31 * *", "2026-06-01T00:00:00", "Fri 2026-07-31 02:00"),
        ("0 2 1 jan,Jul ?", "2026-06-01T00:00:00", "Wed 2026-07-01 02:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00", "Fri 2104-02-29 00:00"),
        ("  0\t2  *  * * ", "2026-06-01T00:00:00", "Mon 2026-06-01 02:00"),
        ("@hourly", "2026-06-01T00:00:01", "Mon 2026-06-01 01:00"),
        ("@daily", "2026-06-01T00:00:01", "Tue 2026-06-02 00:00"),
        ("@midnight", "2026-06-01T00:00:01", "Tue 2026-06-02 00:00"),
        ("@weekly", "2026-06-01T00:00:00", "Sun 2026-06-07 00:00"),
        ("@monthly", "2026-06-01T00:00:01", "Wed 2026-07-01 00:00"),
        ("@yearly", "2026-06-01T00:00:00", "Fri 2027-01-01 00:00"),
        ("@annually", "2026-06-01T00:00:00", "Fri 2027-01-01 00:00"),
    ] {
        assert_eq!(next(cron, from), expected, "{cron} from {from}");
    }
}

#[test]
fn of_two_day_fields_that_limit_either_suffices() {
    let from = "2026-06-02T00:00:00";
    for (cron, expected) in [
        ("0 0 13 * 5", "Fri 2026-06-05 00:00"),
        ("0 0 4 * 5", "Thu 2026-06-04 00:00"),
        ("0 0 * * 5", "Fri 2026-06-05 00:00"),
        ("0 0 13 * *", "Sat 2026-06-13 00:00"),
        // A step limits, as it does in cert-manager; one that leaves nothing out does not.
        ("0 0 */10 * 3", "Wed 2026-06-03 00:00"),
        ("0 0 */10 * */7", "Sun 2026-06-07 00:00"),
        ("0 0 */1 * 5", "Fri 2026-06-05 00:00"),
        ("0 0 10,* * 5", "Fri 2026-06-05 00:00"),
        // From Monday to Saturday: a week's steps end with it.
        ("0 0 31 12 1/5", "Sat 2026-12-05 00:00"),
    ] {
        assert_eq!(next(cron, from), expected, "{cron}");
    }
}

#[test]
fn what_is_no_expression_is_refused_with_what_would_be_right() {
    for (cron, expected) in [
        ("", "has 0 fields: must have five (minute, hour, day of the month, month, day of the week)"),
        ("0 2 * *", "has 4 fields"),
        ("0 0 2 * * *", "has 6 fields"),
        ("CRON_TZ=UTC 0 2 * * *", "has 6 fields"),
        ("@every 1h", "use one of @yearly,"),
        ("@reboot", "use one of @yearly,"),
        ("60 2 * * *", "has \"60\" for the minute: use 0 to 59, *,"),
        ("0 24 * * *", "has \"24\" for the hour: use 0 to 23"),
        ("0 0 0 * *", "has \"0\" for the day of the month: use 1 to 31"),
        ("0 0 * 13 *", "has \"13\" for the month: use 1 to 12 (or jan to dec)"),
        ("0 0 * january *", "has \"january\" for the month"),
        ("0 0 * * 8", "has \"8\" for the day of the week: use 0 to 6 (or sun to sat)"),
        ("0 0 * * sun-", "has \"sun-\""),
        ("5-1 * * * *", "has \"5-1\""),
        ("1,,2 * * * *", "has \"\""),
        ("*/0 * * * *", "has \"*/0\""),
        ("*-5 * * * *", "has \"*-5\""),
        ("1-5-9 * * * *", "has \"1-5-9\""),
        ("+5 * * * *", "has \"+5\""),
        ("99999999999999999999 * * * *", "for the minute"),
        // Others read these in several ways.
        ("0 0 L * *", "has \"L\""),
        ("0 0 15W * *", "has \"15W\""),
        ("0 0 * * 5L", "has \"5L\""),
        ("0 0 * * 5#3", "has \"5#3\""),
        ("H * * * *", "has \"H\""),
        ("0 0 30 2 *", "no year has"),
        ("0 0 31 2,4,6,9,11 ?", "no year has"),
    ] {
        let problem = Cron::parse(cron).expect_err(cron);
        assert!(problem.contains(expected), "{cron}: {problem}");
    }
    // Either day suffices here.
    assert_eq!(next("0 0 30 2 1", "2027-01-01T00:00:00"), "Mon 2027-02-01 00:00");
}

fn fields() -> impl Strategy<Value = String> {
    let field = |most: u32, least: u32| {
        let item = prop_oneof![
            2 => Just("*".to_owned()),
            1 => (1..20_u32).prop_map(|step| format!("*/{step}")),
            2 => (least..=most).prop_map(|value| value.to_string()),
            1 => (least..=most, least..=most, 1..5_u32).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        ];
        proptest::collection::vec(item, 1..3).prop_map(|items| items.join(","))
    };
    (field(59, 0), field(23, 0), field(31, 1), field(12, 1), field(6, 0))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[-0-9*?,/@ a-zA-Z#]{0,40}|\\PC{0,40}") {
        let _ = Cron::parse(&text);
    }

    #[test]
    fn nothing_that_fits_is_passed_over(cron in fields(), minutes in 0..2_000_000_i64) {
        let Ok(cron) = Cron::parse(&cron) else { return Ok(()) };
        let from = time("2024-01-01T00:00:00").checked_add(minutes.minutes()).unwrap();
        let last = from.checked_add(2.days()).unwrap();
        let fits = |time: &DateTime| {
            cron.minutes.has(number(time.minute())) && cron.hours.has(number(time.hour())) && cron.months.has(number(time.month()))
                && cron.is_day(time.date())
        };
        let slowly = (0..=2 * 24 * 60_i64).map(|minute| from.checked_add(minute.minutes()).unwrap()).find(fits);
        prop_assert_eq!(cron.at_or_after(from, last), slowly);
    }
}
