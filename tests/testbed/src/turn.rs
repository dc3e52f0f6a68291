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

/// How long somebody who waits for a place pauses before looking again.
const LOOK: Duration = Duration::from_millis(200);

/// The right to blow beside others, or alone, on a machine of so many places. Given back when dropped, or when its process ends.
#[derive(Debug)]
pub struct Place {
    held: Vec<File>,
}

impl Place {
    /// Waits for one of so many places, which the processes of this machine share by lock files in `folder`: for what takes
    /// much of a processor.
    pub(crate) fn one_of(folder: &Path, places: usize) -> Result<Self> {
        loop {
            if let Some(place) = Self::free_one_of(folder, places)? {
                return Ok(place);
            }
            not_counted(|| thread::sleep(LOOK));
        }
    }

    /// The same, if one is free.
    pub(crate) fn free_one_of(folder: &Path, places: usize) -> Result<Option<Self>> {
        for number in 1..=places.max(1) {
            let one = lock_file(folder, &format!("place-{number}"))?;
            if one.try_lock().is_ok() {
                let mut place = Self::beside(folder)?;
                place.held.push(one);
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// Waits until nobody is alone, and takes no place: for what mostly waits.
    pub(crate) fn beside(folder: &Path) -> Result<Self> {
        let everybody = lock_file(folder, EVERYBODY)?;
        not_counted(|| everybody.lock_shared())?;
        Ok(Self { held: vec![everybody] })
    }

    /// Waits until nobody else is there: for what nothing of its kind may disturb. It keeps nobody out while it waits, so it comes
    /// last.
    pub(crate) fn alone(folder: &Path) -> Result<Self> {
        let everybody = lock_file(folder, EVERYBODY)?;
        not_counted(|| {
            while everybody.try_lock().is_err() {
                thread::sleep(LOOK);
            }
        });
        Ok(Self { held: vec![everybody] })
    }
}

/// Shared by all who are beside others, and had by the one who is alone.
const EVERYBODY: &str = "places";

fn lock_file(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(format!("{name}.lock"));
    File::create(&path).with_context(|| path.display().to_string())
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
        let second = Place::free_one_of(folder.path(), 2).unwrap().unwrap();
        assert!(Place::free_one_of(folder.path(), 2).unwrap().is_none());
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
    fn whoever_is_alone_keeps_everybody_out_and_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let later = |place: fn(&Path) -> Result<Place>| {
            let folder = folder.path().to_owned();
            let waits = thread::spawn(move || place(&folder));
            // Time enough for it to have come in if it could.
            thread::sleep(LOOK * 3);
            assert!(!waits.is_finished());
            waits
        };
        let alone = Place::alone(folder.path()).unwrap();
        let one = later(|folder| Place::one_of(folder, 2));
        let beside = later(Place::beside);
        drop(alone);
        let (one, beside) = (one.join().unwrap().unwrap(), beside.join().unwrap().unwrap());
        let alone = later(Place::alone);
        drop(one);
        // It keeps nobody out while it waits, and those beside take no place.
        let both = [Place::one_of(folder.path(), 2).unwrap(), Place::one_of(folder.path(), 2).unwrap()];
        drop(both);
        assert!(!alone.is_finished());
        drop(beside);
        alone.join().unwrap().unwrap();
    }
}
