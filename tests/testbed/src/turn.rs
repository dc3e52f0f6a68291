//! How tests share what there is only so much of, and how long each took without its wait for that.

use std::{
    cell::Cell,
    fmt,
    fs::File,
    ops::Deref,
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

thread_local! {
    /// How long the test on this thread has waited for its turns.
    static WAITED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Says how long a test took, which the harness does not, without its waits for a turn; the suite reads it.
pub fn timed<T>(name: &str, story: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    WAITED.set(Duration::ZERO);
    let ended = story();
    println!("testbed: took {:.2} s: {name}", began.elapsed().saturating_sub(WAITED.get()).as_secs_f64());
    ended
}

fn not_counted<T>(wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let came = wait();
    WAITED.set(WAITED.get() + began.elapsed());
    came
}

/// A test's turn among those that take the same one.
pub fn turn(of: &'static Mutex<()>) -> MutexGuard<'static, ()> {
    not_counted(|| of.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A few things of a kind, each made when it is needed first and lent to one test at a time: a control plane that a test
/// turns over, and the next test finds as it was.
pub struct Pool<T: 'static> {
    shelf: Mutex<Shelf<T>>,
    back: Condvar,
}

struct Shelf<T: 'static> {
    /// How many may be made yet, and the number of the next.
    left: usize,
    next: usize,
    free: Vec<&'static T>,
}

impl<T> Pool<T> {
    pub const fn of(limit: usize) -> Self {
        Self { shelf: Mutex::new(Shelf { left: limit, next: 1, free: Vec::new() }), back: Condvar::new() }
    }

    /// One that nobody has, as soon as there is one; `make` makes another while there may be more, and is told its number,
    /// from 1. None is ever taken down: that is for the lab's end.
    ///
    /// # Errors
    /// What `make` failed with; the next test tries again.
    pub fn take(&'static self, make: impl FnOnce(usize) -> Result<T>) -> Result<Lent<T>> {
        let number = not_counted(|| {
            let mut shelf = self.shelf();
            loop {
                if let Some(thing) = shelf.free.pop() {
                    return Err(Lent { thing, pool: self });
                }
                if shelf.left > 0 {
                    shelf.left -= 1;
                    shelf.next += 1;
                    return Ok(shelf.next - 1);
                }
                shelf = self.back.wait(shelf).unwrap_or_else(PoisonError::into_inner);
            }
        });
        let number = match number {
            Ok(number) => number,
            Err(lent) => return Ok(lent),
        };
        match make(number) {
            Ok(thing) => Ok(Lent { thing: Box::leak(Box::new(thing)), pool: self }),
            Err(error) => {
                self.shelf().left += 1;
                self.back.notify_one();
                Err(error)
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thing of a [`Pool`], given back when dropped.
pub struct Lent<T: 'static> {
    thing: &'static T,
    pool: &'static Pool<T>,
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing
    }
}

impl<T> fmt::Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        self.pool.shelf().free.push(self.thing);
        self.pool.back.notify_one();
    }
}

/// One of the machine's places for what takes much of a processor, or all of them. Given back when dropped, or when its process
/// ends.
#[derive(Debug)]
pub struct Place {
    _locks: Vec<File>,
}

impl Place {
    /// Waits for one of so many places, which the processes of this machine share by lock files in `folder`.
    pub(crate) fn one_of(folder: &Path, places: usize) -> Result<Self> {
        let files = Self::files(folder, places)?;
        not_counted(|| {
            loop {
                if let Some(free) = files.iter().position(|file| file.try_lock().is_ok()) {
                    return Ok(Self { _locks: files.into_iter().skip(free).take(1).collect() });
                }
                thread::sleep(Duration::from_millis(200));
            }
        })
    }

    /// Waits for all of them, for what nothing else of its kind may disturb. One after another, and whoever wants one alone
    /// holds none yet: nobody waits for ever.
    pub(crate) fn all_of(folder: &Path, places: usize) -> Result<Self> {
        let files = Self::files(folder, places)?;
        not_counted(|| files.iter().try_for_each(File::lock))?;
        Ok(Self { _locks: files })
    }

    fn files(folder: &Path, places: usize) -> Result<Vec<File>> {
        let file = |number: usize| {
            let path = folder.join(format!("place-{number}.lock"));
            File::create(&path).with_context(|| path.display().to_string())
        };
        (1..=places.max(1)).map(file).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_pool_makes_no_more_than_it_may_and_lends_each_to_one() {
        static POOL: Pool<AtomicUsize> = Pool::of(2);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let one = POOL.take(|_| {
                        MADE.fetch_add(1, SeqCst);
                        Ok(AtomicUsize::new(0))
                    });
                    let one = one.unwrap();
                    assert_eq!(one.fetch_add(1, SeqCst), 0, "another has it, too");
                    thread::yield_now();
                    one.fetch_sub(1, SeqCst);
                });
            }
        });
        assert!((1..=2).contains(&MADE.load(SeqCst)));
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        static POOL: Pool<u8> = Pool::of(1);
        assert!(POOL.take(|_| Err(anyhow!("no room"))).is_err());
        assert_eq!(*POOL.take(|_| Ok(7)).unwrap(), 7);
        assert_eq!(*POOL.take(|_| Err(anyhow!("it is there"))).unwrap(), 7);
    }

    #[test]
    fn a_place_is_one_holders_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Place::one_of(folder.path(), 2).unwrap();
        let second = Place::one_of(folder.path(), 2).unwrap();
        let third = thread::spawn({
            let folder = folder.path().to_owned();
            move || Place::one_of(&folder, 2).map(drop)
        });
        assert!(!third.is_finished());
        drop(first);
        third.join().unwrap().unwrap();
        drop(second);
    }

    #[test]
    fn whoever_has_all_places_has_them_alone() {
        let folder = tempfile::tempdir().unwrap();
        let all = Place::all_of(folder.path(), 2).unwrap();
        let one = thread::spawn({
            let folder = folder.path().to_owned();
            move || Place::one_of(&folder, 2)
        });
        // Time enough for it to have come in if it could.
        thread::sleep(Duration::from_millis(600));
        assert!(!one.is_finished());
        drop(all);
        let one = one.join().unwrap().unwrap();
        let all = thread::spawn({
            let folder = folder.path().to_owned();
            move || Place::all_of(&folder, 2)
        });
        thread::sleep(Duration::from_millis(600));
        assert!(!all.is_finished());
        drop(one);
        all.join().unwrap().unwrap();
    }
}
