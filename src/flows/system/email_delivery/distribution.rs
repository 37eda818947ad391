//! Distributes the e-mails of a batch over a few tasks that send at the same time.

/// How many e-mails are sent at once: a small mail server accepts few connections from one client.
pub(super) const CONCURRENT_SENDS: usize = 4;

/// Returns the e-mails of each task. All e-mails to one address go to one task, in their order.
pub(super) fn distribute<T>(emails: Vec<T>, address: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    let mut tasks: Vec<Vec<T>> = (0..CONCURRENT_SENDS).map(|_| Vec::new()).collect();
    for email in emails {
        let is_to_the_same =
            |task: &Vec<T>| task.iter().any(|other| address(other) == address(&email));
        let shortest =
            || (0..CONCURRENT_SENDS).min_by_key(|number| tasks[*number].len()).unwrap_or_default();
        // Of two reset links the last one works, so its e-mail must not overtake the other.
        let number = tasks.iter().position(is_to_the_same).unwrap_or_else(shortest);
        tasks[number].push(email);
    }
    tasks.retain(|task| !task.is_empty());
    tasks
}

#[cfg(test)]
mod tests {
    use super::{CONCURRENT_SENDS, distribute};

    #[test]
    fn every_email_is_on_one_lane() {
        for count in 0..50 {
            let emails: Vec<_> = (0..count).map(|number| (number, number.to_string())).collect();

            let tasks = distribute(emails.clone(), |(_, address)| address);

            let mut all = tasks.concat();
            all.sort_unstable();
            assert_eq!(all, emails);
            let length = |task: &Vec<_>| task.len();
            let (short, long) = (tasks.iter().map(length).min(), tasks.iter().map(length).max());
            assert!(tasks.len() <= CONCURRENT_SENDS && long <= short.map(|it| it + 1));
        }
    }

    #[test]
    fn emails_to_one_address_stay_in_order() {
        let emails = (0..20).map(|number| (number, if number % 3 == 0 { "eve" } else { "ada" }));

        let tasks = distribute(emails.collect(), |(_, address)| address);

        assert_eq!(tasks.len(), 2);
        for task in tasks {
            assert!(task.is_sorted());
        }
    }
}
